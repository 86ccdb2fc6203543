// Multicast DNS (RFC 6762): who on this network offers a service (DNS-SD, RFC 6763).
//
// One-shot: the questions go to the multicast groups of every interface from a port of our own,
// answers come back to it; whatever arrives before the time is over counts. Nothing of it is
// trusted beyond being an address to try. Blocking for the whole `timeout`, since nobody can know
// that the last answer was there; thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "discovery/dns_packet.h"
#include "discovery/query.h"

namespace dkron::discovery {

using DnsQuestion = std::pair<std::string, RecordType>;

// What the answers said so far. Any records are safe: each collection is bounded.
class MdnsAnswers {
 public:
  // `service`: "_dkron._tcp.local".
  explicit MdnsAnswers(std::string service);
  void add(const std::vector<DnsRecord>& records);
  // What is still missing of what is known; each question is given out once.
  std::vector<DnsQuestion> next_questions();
  // The instances' addresses; IPv6 before IPv4, as the original prefers it.
  Addresses addresses(bool with_v4, bool with_v6) const;

 private:
  struct Host {
    std::set<std::string> v4;
    std::set<std::string> v6;
  };
  void add_address(const DnsRecord& record);

  std::string service_;
  std::set<std::string> instances_;
  std::map<std::string, std::pair<std::string, std::uint16_t>> targets_;  // By instance.
  std::map<std::string, Host> hosts_;  // By target; what nobody pointed at is not kept.
  std::set<DnsQuestion> asked_;
};

// provider=mdns service=_dkron._tcp [domain=local] [timeout=5s] [v4=true] [v6=true]
Result<Addresses> mdns_provider(const Query& query);

// The same with the peers to ask; the groups of RFC 6762 are in mdns_provider().
Result<Addresses> ask_mdns(const Query& query, const Addresses& peers);

}  // namespace dkron::discovery
