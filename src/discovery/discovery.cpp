#include "discovery/discovery.h"

#include <algorithm>
#include <set>
#include <utility>

#include "discovery/names.h"
#include "discovery/provider_text.h"
#include "discovery/providers.h"
#include "discovery/srv.h"

namespace dkron::discovery {
namespace {

Result<Addresses> discover_by_provider(std::string_view text, Query query) {
  auto parameters = parse_provider_text(text);
  if (!parameters) return fail(parameters.error().code, "discover: " + parameters.error().message);
  query.parameters = std::move(*parameters);
  auto found = ask_provider(query);
  if (found && found->empty()) {
    // The other keys may be secrets.
    return fail(ErrorCode::NotFound,
                "discover-" + std::string(query.parameter("provider")) + ": no address found");
  }
  return found;
}

Result<Addresses> discover_plain(std::string_view text, const Query& query) {
  const auto rendered = config::render_address(text);
  if (!rendered) return fail(rendered.error());
  if (is_srv_name(*rendered)) {
    auto found = find_srv(*rendered, query);
    if (!found || !found->empty()) return found;
    return fail(ErrorCode::NotFound, "lookup " + *rendered + ": no such service");
  }
  const auto host = parse_plain(*rendered, query.default_port);
  if (!host) return fail(host.error());
  return resolve_all(std::span(&*host, 1), query.deadline);
}

// In their order, each once.
Addresses without_repetitions(Addresses addresses) {
  std::set<std::pair<std::string, std::uint16_t>> seen;
  Addresses kept;
  for (config::HostPort& address : addresses) {
    if (kept.size() >= kMaxAddresses) break;
    if (seen.emplace(address.host, address.port).second) kept.push_back(std::move(address));
  }
  return kept;
}

}  // namespace

Result<std::vector<config::HostPort>> discover(std::string_view text, std::uint16_t default_port,
                                               Duration timeout) {
  // A day is for ever here, and adds up without overflow.
  const Duration bounded = std::min<Duration>(timeout, hours(24));
  Query query{{}, default_port, system_clock().steady() + bounded};
  const bool has_provider = text.find("provider=") != text.npos;
  auto found =
      has_provider ? discover_by_provider(text, std::move(query)) : discover_plain(text, query);
  if (!found) return found;
  return without_repetitions(std::move(*found));
}

}  // namespace dkron::discovery
