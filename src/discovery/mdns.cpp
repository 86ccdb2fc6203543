#include "discovery/mdns.h"

#include <poll.h>

#include <algorithm>
#include <climits>

#include "base/go_text.h"
#include "discovery/discovery.h"
#include "discovery/mdns_socket.h"

namespace dkron::discovery {
namespace {

constexpr std::size_t kInstanceLimit = kMaxAddresses;
constexpr std::size_t kHostLimit = kMaxAddresses;
constexpr std::size_t kAddressesPerHost = 16;
constexpr std::size_t kQuestionLimit = 2 * kMaxAddresses;  // Of one call.
constexpr int kDatagramLimit = 4'096;                      // Looked at in one call.
constexpr std::uint16_t kPort = 5353;
constexpr Duration kDefaultTimeout = seconds(5);

struct Settings {
  std::string service;
  Duration timeout = kDefaultTimeout;
  bool with_v4 = true;
  bool with_v6 = true;
};

tl::unexpected<Error> wrong(const std::string& text) {
  return fail(ErrorCode::InvalidArgument, "discover-mdns: " + text);
}

Result<void> read_flag(const Query& query, const char* key, bool* flag) {
  const std::string_view text = query.parameter(key);
  if (text.empty()) return {};
  const auto value = go::parse_bool(text);
  if (!value) return wrong(std::string("Failed to parse ") + key + ": " + value.error().message);
  *flag = *value;
  return {};
}

Result<Settings> read_settings(const Query& query) {
  Settings settings;
  const std::string_view service = query.parameter("service");
  if (service.empty()) {
    return wrong(
        "Service record not provided.  Please specify a service record for the mDNS "
        "lookup.");
  }
  const std::string_view domain = query.parameter("domain");
  settings.service =
      normal_dns_name(service) + "." + (domain.empty() ? "local" : normal_dns_name(domain));
  if (const std::string_view text = query.parameter("timeout"); !text.empty()) {
    const auto timeout = parse_duration(text);
    if (!timeout) return wrong("Failed to parse timeout: " + timeout.error().message);
    settings.timeout = *timeout;
  }
  settings.timeout = std::min(settings.timeout, query.time_left());
  if (auto read = read_flag(query, "v4", &settings.with_v4); !read) return fail(read.error());
  if (auto read = read_flag(query, "v6", &settings.with_v6); !read) return fail(read.error());
  return settings;
}

// The sockets of one call.
class Conversation {
 public:
  Conversation(const std::string& service, Duration deadline)
      : answers_(service), deadline_(deadline) {}

  Result<void> start(const std::string& service, const Addresses& peers);
  void listen();
  const MdnsAnswers& answers() const { return answers_; }

 private:
  bool ask(const DnsQuestion& question);
  bool wait();
  void take_datagrams();

  MdnsAnswers answers_;
  Duration deadline_;
  std::vector<MdnsSocket> sockets_;
  int datagrams_ = 0;
};

Result<void> Conversation::start(const std::string& service, const Addresses& peers) {
  std::string reasons;
  for (const config::HostPort& peer : peers) {
    auto socket = MdnsSocket::open(peer);
    if (socket) {
      sockets_.push_back(std::move(*socket));
    } else {
      reasons += (reasons.empty() ? "" : "; ") + socket.error().message;
    }
  }
  const DnsQuestion question(service, RecordType::Ptr);
  if (auto valid = make_dns_question(question.first, question.second, 0, true); !valid) {
    return wrong(valid.error().message);
  }
  if (ask(question)) return {};
  return fail(ErrorCode::Unavailable,
              "discover-mdns: cannot ask: " + (reasons.empty() ? "not sent" : reasons));
}

bool Conversation::ask(const DnsQuestion& question) {
  const auto message = make_dns_question(question.first, question.second, 0, true);
  if (!message) return false;  // A name of an answer that nobody can be asked for.
  bool was_sent = false;
  for (const MdnsSocket& socket : sockets_) was_sent = socket.send(*message) || was_sent;
  return was_sent;
}

void Conversation::listen() {
  while (datagrams_ < kDatagramLimit && wait()) {
    take_datagrams();
    for (const DnsQuestion& question : answers_.next_questions()) ask(question);
  }
}

// False when the time is over.
bool Conversation::wait() {
  const Duration left = deadline_ - system_clock().steady();
  if (left <= Duration(0)) return false;
  std::vector<pollfd> entries;
  for (const MdnsSocket& socket : sockets_) entries.push_back({socket.fd(), POLLIN, 0});
  const auto left_ms = std::chrono::duration_cast<milliseconds>(left).count() + 1;
  ::poll(entries.data(), entries.size(),
         static_cast<int>(std::clamp<std::int64_t>(left_ms, 1, INT_MAX)));
  return true;
}

void Conversation::take_datagrams() {
  for (const MdnsSocket& socket : sockets_) {
    while (datagrams_ < kDatagramLimit) {
      const auto datagram = socket.receive();
      if (!datagram) break;
      ++datagrams_;
      if (const auto records = parse_dns_answer(*datagram)) answers_.add(*records);
    }
  }
}

}  // namespace

MdnsAnswers::MdnsAnswers(std::string service) : service_(std::move(service)) {}

void MdnsAnswers::add(const std::vector<DnsRecord>& records) {
  // An answer holds its records in any order: the instances first, then what belongs to them.
  for (const DnsRecord& record : records) {
    const bool is_instance = record.type == RecordType::Ptr && record.name == service_;
    if (is_instance && instances_.size() < kInstanceLimit) instances_.insert(record.target);
  }
  for (const DnsRecord& record : records) {
    if (record.type == RecordType::Srv && record.port != 0 && !record.target.empty() &&
        instances_.contains(record.name)) {
      targets_[record.name] = {record.target, record.port};
      if (hosts_.size() < kHostLimit) hosts_.try_emplace(record.target);
    }
  }
  for (const DnsRecord& record : records) add_address(record);
}

void MdnsAnswers::add_address(const DnsRecord& record) {
  const auto host = hosts_.find(record.name);
  if (record.address.empty() || host == hosts_.end()) return;
  auto& addresses = record.type == RecordType::Aaaa ? host->second.v6 : host->second.v4;
  if (addresses.size() < kAddressesPerHost) addresses.insert(record.address);
}

std::vector<DnsQuestion> MdnsAnswers::next_questions() {
  std::vector<DnsQuestion> questions;
  const auto want = [&](const std::string& name, RecordType type) {
    if (asked_.size() >= kQuestionLimit) return;
    if (asked_.emplace(name, type).second) questions.emplace_back(name, type);
  };
  for (const std::string& instance : instances_) {
    if (!targets_.contains(instance)) want(instance, RecordType::Srv);
  }
  for (const auto& [name, host] : hosts_) {
    if (!host.v4.empty() || !host.v6.empty()) continue;
    want(name, RecordType::A);
    want(name, RecordType::Aaaa);
  }
  return questions;
}

Addresses MdnsAnswers::addresses(bool with_v4, bool with_v6) const {
  Addresses found;
  const auto take = [&found](const std::set<std::string>& ips, std::uint16_t port) {
    for (const std::string& ip : ips) found.push_back({ip, port});
  };
  for (const auto& [instance, target] : targets_) {
    const auto host = hosts_.find(target.first);
    if (host == hosts_.end()) continue;
    if (with_v6) take(host->second.v6, target.second);
    if (with_v4) take(host->second.v4, target.second);
  }
  return found;
}

Result<Addresses> ask_mdns(const Query& query, const Addresses& peers) {
  const auto settings = read_settings(query);
  if (!settings) return fail(settings.error());
  Conversation conversation(settings->service, system_clock().steady() + settings->timeout);
  if (auto started = conversation.start(settings->service, peers); !started) {
    return fail(std::move(started.error()));
  }
  conversation.listen();
  return conversation.answers().addresses(settings->with_v4, settings->with_v6);
}

Result<Addresses> mdns_provider(const Query& query) {
  return ask_mdns(query, {{"224.0.0.251", kPort}, {"ff02::fb", kPort}});
}

}  // namespace dkron::discovery
