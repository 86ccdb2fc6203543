// Any bytes as an answer of DNS and mDNS: an error, or bounded records of which every address is
// one, and which the collector of mDNS takes without asking for ever.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "discovery/dns_packet.h"
#include "discovery/mdns.h"
#include "discovery/names.h"
#include "discovery/srv.h"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dkron;
  const std::string message(reinterpret_cast<const char*>(data), size);
  const auto records = discovery::parse_dns_answer(message);
  if (!records) {
    check(records.error().code == ErrorCode::Corrupt && !records.error().message.empty());
    return 0;
  }
  check(records->size() <= discovery::kDnsRecordLimit);
  for (const auto& record : *records) {
    check(record.address.empty() || discovery::is_ip(record.address));
    check(record.name == discovery::normal_dns_name(record.name));
  }
  for (const auto& host : discovery::srv_hosts(*records)) check(host.port != 0);
  discovery::MdnsAnswers answers("_dkron._tcp.local");
  answers.add(*records);
  for (const auto& [name, type] : answers.next_questions()) {
    const auto question = discovery::make_dns_question(name, type, 0, true);
    check(!question || question->size() <= 512);
  }
  check(answers.next_questions().empty());
  for (const auto& host : answers.addresses(true, true)) {
    check(host.port != 0 && discovery::is_ip(host.host));
  }
  return 0;
}
