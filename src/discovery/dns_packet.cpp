#include "discovery/dns_packet.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <optional>
#include <span>

#include "base/go_text.h"
#include "discovery/names.h"

namespace dkron::discovery {
namespace {

constexpr std::uint16_t kClassIn = 1;
constexpr std::uint16_t kUnicastBit = 0x8000;  // In a question's class.
constexpr std::uint16_t kFlushBit = 0x8000;    // In an mDNS answer's class.

void append_u16(std::uint16_t value, std::string* out) {
  out->push_back(static_cast<char>(value >> 8));
  out->push_back(static_cast<char>(value & 0xff));
}

std::uint16_t read_u16(const unsigned char* bytes) {
  return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
}

std::optional<std::string> read_name(const ns_msg& message, const unsigned char* at) {
  char name[NS_MAXDNAME];
  if (::ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), at, name, sizeof name) < 0) {
    return std::nullopt;
  }
  return normal_dns_name(name);
}

// Nothing for records of other types, and for those that hold no use.
std::optional<DnsRecord> read_record(const ns_msg& message, const ns_rr& raw) {
  if ((ns_rr_class(raw) & ~kFlushBit) != kClassIn) return std::nullopt;
  DnsRecord record;
  record.name = normal_dns_name(ns_rr_name(raw));
  record.type = static_cast<RecordType>(ns_rr_type(raw));
  const std::span<const unsigned char> data(ns_rr_rdata(raw), ns_rr_rdlen(raw));
  std::optional<std::string> text;
  switch (record.type) {
    case RecordType::A:
    case RecordType::Aaaa:
      if (data.size() != (record.type == RecordType::A ? 4U : 16U)) return std::nullopt;
      text = to_ip_text(data);
      if (text) record.address = std::move(*text);
      break;
    case RecordType::Ptr:
      if (data.empty()) return std::nullopt;
      text = read_name(message, data.data());
      if (text) record.target = std::move(*text);
      break;
    case RecordType::Srv:
      if (data.size() < 7) return std::nullopt;
      record.priority = read_u16(data.data());
      record.weight = read_u16(data.data() + 2);
      record.port = read_u16(data.data() + 4);
      text = read_name(message, data.data() + 6);
      if (text) record.target = std::move(*text);
      break;
    default: return std::nullopt;
  }
  if (!text) return std::nullopt;
  return record;
}

}  // namespace

std::string normal_dns_name(std::string_view name) {
  if (name.ends_with('.') && !name.ends_with("\\.")) name.remove_suffix(1);
  std::string normal(name);
  std::transform(normal.begin(), normal.end(), normal.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return normal;
}

Result<std::vector<DnsRecord>> parse_dns_answer(std::string_view message) {
  const auto corrupt = [](const char* what) {
    return fail(ErrorCode::Corrupt, std::string("dns: ") + what);
  };
  if (message.size() < NS_HFIXEDSZ || message.size() > kDnsMessageLimit) {
    return corrupt("a message of impossible length");
  }
  ns_msg handle;
  const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
  if (::ns_initparse(bytes, static_cast<int>(message.size()), &handle) != 0) {
    return corrupt("malformed message");
  }
  if ((bytes[2] & 0x80) == 0) return corrupt("a question where an answer was expected");
  std::vector<DnsRecord> records;
  std::size_t seen = 0;
  for (const ns_sect section : {ns_s_an, ns_s_ns, ns_s_ar}) {
    for (int i = 0; i < ns_msg_count(handle, section); ++i) {
      if (++seen > kDnsRecordLimit) return records;
      ns_rr raw;
      if (::ns_parserr(&handle, section, i, &raw) != 0) return corrupt("malformed record");
      if (auto record = read_record(handle, raw)) records.push_back(std::move(*record));
    }
  }
  return records;
}

Result<std::string> make_dns_question(const std::string& name, RecordType type, std::uint16_t id,
                                      bool wants_unicast) {
  unsigned char packed[NS_MAXCDNAME];
  const int size = name.find('\0') == name.npos
                       ? ::ns_name_compress(name.c_str(), packed, sizeof packed, nullptr, nullptr)
                       : -1;
  if (size <= 1) {
    return fail(ErrorCode::InvalidArgument, "dns: " + go::quote(name) + " is no DNS name");
  }
  std::string message;
  append_u16(id, &message);
  append_u16(0, &message);  // Flags: a plain question.
  append_u16(1, &message);  // One of them.
  message.append(6, '\0');  // No records.
  message.append(reinterpret_cast<const char*>(packed), static_cast<std::size_t>(size));
  append_u16(static_cast<std::uint16_t>(type), &message);
  append_u16(wants_unicast ? kClassIn | kUnicastBit : kClassIn, &message);
  return message;
}

}  // namespace dkron::discovery
