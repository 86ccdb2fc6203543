#include "discovery/srv.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <memory>

#include "discovery/discovery.h"
#include "discovery/lookup_thread.h"
#include "discovery/names.h"

namespace dkron::discovery {
namespace {

constexpr int kTries = 2;  // Of each name server.

struct Resolver {
  struct __res_state state {};
  bool is_ready = false;
  Resolver() { is_ready = ::res_ninit(&state) == 0; }
  ~Resolver() {
    if (is_ready) ::res_nclose(&state);
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  void use(const config::HostPort& name_server) {
    state.nscount = 1;
    state.nsaddr_list[0] = {};
    state.nsaddr_list[0].sin_family = AF_INET;
    state.nsaddr_list[0].sin_port = htons(name_server.port);
    ::inet_pton(AF_INET, name_server.host.c_str(), &state.nsaddr_list[0].sin_addr);
  }
};

tl::unexpected<Error> lookup_error(const std::string& name, int h_errno_value) {
  const std::string what = "lookup " + name + ": ";
  switch (h_errno_value) {
    case HOST_NOT_FOUND: return fail(ErrorCode::NotFound, what + "no such host");
    case NO_DATA: return fail(ErrorCode::NotFound, what + "no SRV record");
    default: return fail(ErrorCode::Unavailable, what + "no answer of a name server");
  }
}

Result<std::string> ask(const std::string& name, Duration left,
                        const std::optional<config::HostPort>& name_server) {
  Resolver resolver;
  if (!resolver.is_ready) return fail(ErrorCode::Unavailable, "lookup " + name + ": no resolver");
  if (name_server) resolver.use(*name_server);
  const auto left_s = std::chrono::duration_cast<seconds>(left).count();
  const int turns = kTries * std::max(1, resolver.state.nscount);
  resolver.state.retry = kTries;
  resolver.state.retrans = static_cast<int>(std::clamp<std::int64_t>(left_s / turns, 1, 5));
  std::string answer(kDnsMessageLimit, '\0');
  const int size = ::res_nquery(&resolver.state, name.c_str(), ns_c_in, ns_t_srv,
                                reinterpret_cast<unsigned char*>(answer.data()),
                                static_cast<int>(answer.size()));
  if (size < 0) return lookup_error(name, resolver.state.res_h_errno);
  answer.resize(std::min(answer.size(), static_cast<std::size_t>(size)));
  return answer;
}

// On the lookup thread.
Result<Addresses> look_up(const std::string& name, Duration deadline,
                          const std::optional<config::HostPort>& name_server) {
  auto answer = ask(name, deadline - system_clock().steady(), name_server);
  if (!answer) return fail(std::move(answer.error()));
  auto records = parse_dns_answer(*answer);
  if (!records) {
    return fail(records.error().code, "lookup " + name + ": " + records.error().message);
  }
  return srv_hosts(*records);
}

}  // namespace

bool is_srv_name(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (!text.starts_with('_') || dot == text.npos || dot < 2) return false;
  const std::string proto = normal_dns_name(text.substr(dot + 1, 5));
  return (proto == "_tcp" || proto == "_udp") && text.size() > dot + 6 && text[dot + 5] == '.';
}

Addresses srv_hosts(const std::vector<DnsRecord>& records) {
  std::vector<const DnsRecord*> services;
  for (const DnsRecord& record : records) {
    const bool is_service = record.type == RecordType::Srv && !record.target.empty();
    if (is_service && record.port != 0) services.push_back(&record);
  }
  std::stable_sort(services.begin(), services.end(), [](const auto* a, const auto* b) {
    return a->priority != b->priority ? a->priority < b->priority : a->weight > b->weight;
  });
  std::multimap<std::string_view, const DnsRecord*> known;
  for (const DnsRecord& record : records) {
    if (!record.address.empty()) known.emplace(record.name, &record);
  }
  Addresses hosts;
  for (const DnsRecord* service : services) {
    const auto [begin, end] = known.equal_range(service->target);
    if (begin == end) hosts.push_back({service->target, service->port});
    for (auto found = begin; found != end; ++found) {
      hosts.push_back({found->second->address, service->port});
      if (hosts.size() >= kMaxAddresses) return hosts;
    }
    if (hosts.size() >= kMaxAddresses) return hosts;
  }
  return hosts;
}

Result<Addresses> find_srv(const std::string& name, const Query& query,
                           const std::optional<config::HostPort>& name_server) {
  // Says at once, and in our words, what is no name.
  if (auto valid = make_dns_question(name, RecordType::Srv, 0, false); !valid) {
    return fail(std::move(valid.error()));
  }
  auto hosts =
      run_until(query.deadline, "lookup " + name, [name, deadline = query.deadline, name_server] {
        return look_up(name, deadline, name_server);
      });
  if (!hosts) return hosts;
  return resolve_all(*hosts, query.deadline);
}

Result<Addresses> srv_provider(const Query& query) {
  const std::string service(query.parameter("service"));
  const std::string domain(query.parameter("domain"));
  std::string proto(query.parameter("proto"));
  if (proto.empty()) proto = "tcp";
  for (const auto& [key, value] : {std::pair("service", service), std::pair("domain", domain)}) {
    if (value.empty()) {
      return fail(ErrorCode::InvalidArgument, std::string("discover-srv: missing ") + key);
    }
  }
  auto found = find_srv("_" + service + "._" + proto + "." + domain, query);
  if (!found) return fail(found.error().code, "discover-srv: " + found.error().message);
  return found;
}

}  // namespace dkron::discovery
