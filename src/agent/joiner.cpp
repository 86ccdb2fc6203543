#include "agent/joiner.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "discovery/discovery.h"

namespace dkron::agent {
namespace {

constexpr Duration kLookUpTimeout = seconds(10);
constexpr std::size_t kRejoinAtOnce = 4;
// Nodes that start together do not find each other at the first attempt: the first pauses are
// short, and count for nothing.
constexpr Duration kFirstPause = milliseconds(250);

}  // namespace

Joiner::Joiner(TaskLoop& loop, net::WorkerPool& workers, gossip::Service& service,
               Membership::JoinOptions options, std::function<void(Error)> on_given_up)
    : loop_(loop),
      workers_(workers),
      service_(service),
      options_(std::move(options)),
      on_given_up_(std::move(on_given_up)),
      retry_timer_(loop.make_timer()) {}

Joiner::~Joiner() = default;

void Joiner::start() {
  rejoin(0);
  if (options_.retry.empty()) {
    if (!options_.once.empty()) join_once();
    return;
  }
  log::info("agent: Retry join LAN is supported for: " + discovery::provider_names());
  log::info("agent: Joining cluster...");
  pause_ = kFirstPause;
  try_to_join();
}

// Its failure is no news: the others may be gone, and what is configured is tried besides.
void Joiner::rejoin(std::size_t first) {
  const std::vector<gossip::Endpoint>& all = options_.remembered;
  if (first >= all.size()) return;
  const std::size_t last = std::min(all.size(), first + kRejoinAtOnce);
  const auto at = [&all](std::size_t i) { return all.begin() + static_cast<std::ptrdiff_t>(i); };
  service_.serf().join(
      {at(first), at(last)}, true, [this, last](const Result<std::size_t>& joined) {
        if (!joined) return rejoin(last);
        log::info("agent: rejoined the members of before", {{"addresses", *joined}});
      });
}

void Joiner::join_once() {
  find(options_.once, [this](const Found& found) {
    for (const std::string& error : found.errors) {
      log::warning("agent: an address to join was not found", {{"error", error}});
    }
    if (found.endpoints.empty()) return;
    service_.serf().join(found.endpoints, false, [](const Result<std::size_t>& joined) {
      if (joined) {
        log::info("agent: joined the cluster", {{"addresses", *joined}});
      } else {
        log::warning("agent: Can not join", {{"error", joined.error()}});
      }
    });
  });
}

void Joiner::try_to_join() {
  find(options_.retry, [this](Found found) {
    for (const std::string& error : found.errors) {
      log::error("agent: Error Joining", {{"error", error}});
    }
    leave_out_ourselves(found.endpoints);
    if (found.endpoints.empty()) {
      return on_attempt(fail(ErrorCode::NotFound, "no servers to join"));
    }
    service_.serf().join(found.endpoints, true,
                         [this](const Result<std::size_t>& joined) { on_attempt(joined); });
  });
}

// Reaching ourselves must not end the search while other addresses were given.
void Joiner::leave_out_ourselves(std::vector<gossip::Endpoint>& endpoints) {
  if (endpoints.size() < 2) return;
  const gossip::Endpoint self = service_.serf().local().endpoint;
  std::erase(endpoints, self);
}

void Joiner::on_attempt(const Result<std::size_t>& joined) {
  if (joined) {
    log::info("agent: Join LAN completed. Synced with " + std::to_string(*joined) +
              " initial agents");
    return;
  }
  const bool is_early = pause_ < options_.retry_interval;
  if (!is_early && options_.retry_max > 0 && ++attempts_ >= options_.retry_max) {
    on_given_up_({ErrorCode::Unavailable, "agent: max join LAN retry exhausted, exiting"});
    return;
  }
  log::warning("agent: Join LAN failed: " + joined.error().message + ", retrying in " +
               format_duration(std::min(pause_, options_.retry_interval)));
  retry_timer_->start(std::min(pause_, options_.retry_interval), [this] { try_to_join(); });
  if (is_early) pause_ *= 2;
}

void Joiner::find(const std::vector<std::string>& texts, const OnFound& on_found) {
  const std::weak_ptr<char> alive = alive_token_;
  const bool is_posted = workers_.try_post(
      [texts, port = options_.default_port, post = loop_.poster(), alive, on_found] {
        post([alive, on_found, found = look_up(texts, port)] {
          if (!alive.expired()) on_found(found);
        });
      });
  if (is_posted) return;
  loop_.post([alive, on_found] {
    if (!alive.expired()) on_found({{}, {"too much work waits to look up addresses"}});
  });
}

Joiner::Found Joiner::look_up(const std::vector<std::string>& texts, std::uint16_t default_port) {
  Found found;
  for (const std::string& text : texts) {
    const auto addresses = discovery::discover(text, default_port, kLookUpTimeout);
    if (!addresses) {
      found.errors.push_back(addresses.error().message);
      continue;
    }
    std::string list;
    for (const config::HostPort& address : *addresses) {
      const auto ip = gossip::Ip::parse(address.host);
      if (ip) found.endpoints.push_back({*ip, address.port});
      list += (list.empty() ? "" : " ") + config::join_host_port(address.host, address.port);
    }
    if (text.find("provider=") != std::string::npos) {
      log::info("agent: Discovered LAN servers: " + list);
    }
  }
  return found;
}

}  // namespace dkron::agent
