// DNS messages (RFC 1035), as far as finding servers needs them: a question, and the records of an
// answer. The bytes are read by the C library (ns_initparse and relatives).
//
// Answers come from anybody: they are bounded, and every wrong byte is an Error (Corrupt). Free
// functions, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace dkron::discovery {

enum class RecordType : std::uint16_t { A = 1, Ptr = 12, Aaaa = 28, Srv = 33 };

inline constexpr std::size_t kDnsMessageLimit = 65'535;
inline constexpr std::size_t kDnsRecordLimit = 4'096;  // Of a message; the rest is not looked at.

// Names are lower case without final dot; bytes that are no part of host names are escaped as in
// zone files ("my\032node._dkron._tcp.local").
struct DnsRecord {
  std::string name;
  RecordType type = RecordType::A;
  std::string target;   // Ptr, Srv
  std::string address;  // A, Aaaa; records of unusable addresses are left out
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
};

// The records of the types above, of the answer, authority and additional sections in this order.
Result<std::vector<DnsRecord>> parse_dns_answer(std::string_view message);

// One question of class IN. `wants_unicast`: the bit of mDNS by which the answer comes to the
// asker alone (RFC 6762, 5.4).
Result<std::string> make_dns_question(const std::string& name, RecordType type, std::uint16_t id,
                                      bool wants_unicast);

// Lower case, without final dot.
std::string normal_dns_name(std::string_view name);

}  // namespace dkron::discovery
