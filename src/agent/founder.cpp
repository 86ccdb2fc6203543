#include "agent/founder.h"

#include <algorithm>

#include "base/log.h"

namespace dkron::agent {

Founder::Founder(Services services)
    : services_(std::move(services)), look_timer_(services_.loop.make_timer()) {}

void Founder::start() {
  running_ = services_.expect > 0;
  look();
}

void Founder::stop() {
  running_ = false;
  is_asking_ = false;
  ++round_;
  look_timer_->cancel();
}

void Founder::look() {
  if (!running_) return;
  if (!services_.is_outside()) return stop();
  if (!is_asking_) {
    const auto names = founders();
    if (names && names->front() == services_.own_name) ask(*names);
  }
  if (running_) look_timer_->start(kLookEvery, [this] { look(); });
}

std::optional<std::vector<std::string>> Founder::founders() {
  std::vector<std::string> names;
  for (const Peer* peer : services_.peers.alive_servers()) {
    if (!peer->has_journal || !peer->cluster_id.empty()) {
      say("a cluster exists already; waiting to be added by its leader (server " + peer->name +
          " belongs to it)");
      return std::nullopt;
    }
    if (peer->expect == 0) continue;
    if (peer->expect != services_.expect) {
      say("peer has a conflicting expect value. All nodes should expect the same number: " +
          peer->name + " expects " + std::to_string(peer->expect) + ", this server " +
          std::to_string(services_.expect));
      return std::nullopt;
    }
    names.push_back(peer->name);
  }
  const auto expected = static_cast<std::size_t>(services_.expect);
  if (names.size() < expected) {
    say("waiting for servers: " + std::to_string(names.size()) + " of " + std::to_string(expected) +
        " are there");
    return std::nullopt;
  }
  return names;
}

void Founder::ask(const std::vector<std::string>& founders) {
  if (auto promised = promise({services_.own_name, founders}); !promised) {
    return say(promised.error().message);
  }
  is_asking_ = true;
  asked_at_ = services_.clock.steady();
  ++round_;
  missing_promises_ = {founders.begin() + 1, founders.end()};
  if (missing_promises_.empty()) return found();
  for (const std::string& name : std::set<std::string>(missing_promises_)) {
    const Peer* peer = services_.peers.find(name);
    services_.client.promise(peer->rpc_address, {services_.own_name, founders},
                             [this, name, round = round_](const Result<void>& promised) {
                               if (round == round_ && is_asking_) on_promise(name, promised);
                             });
  }
}

void Founder::on_promise(const std::string& from, const Result<void>& promised) {
  const bool is_late = services_.clock.steady() - asked_at_ > kFoundWithin;
  if (!promised || is_late) {
    is_asking_ = false;
    say("the cluster is not founded yet, " + from +
        " does not agree: " + (promised ? "the answer came late" : promised.error().message));
    return;
  }
  missing_promises_.erase(from);
  if (missing_promises_.empty()) found();
}

void Founder::found() {
  log::info("agent: found expected number of peers, attempting to bootstrap cluster...",
            {{"servers", services_.expect}});
  services_.found([this, round = round_](const Result<void>& founded) {
    if (round != round_) return;
    is_asking_ = false;
    if (!founded) log::error("agent: failed to bootstrap cluster", {{"error", founded.error()}});
  });
}

Result<void> Founder::promise(const rpc::Founding& founding) {
  const auto no = [](std::string why) { return fail(ErrorCode::Conflict, std::move(why)); };
  if (!services_.is_outside()) return no("this server is part of a cluster");
  if (services_.expect == 0) return no("this server waits to be added to a cluster");
  const Duration now = services_.clock.steady();
  if (promised_until_ > now && promised_to_ != founding.candidate) {
    return no("this server has promised to let " + promised_to_ + " found the cluster");
  }
  const auto& members = founding.members;
  if (std::find(members.begin(), members.end(), services_.own_name) == members.end()) {
    return no("this server is not among the founders");
  }
  const auto names = founders();
  if (!names) return no(said_);
  if (names->front() != founding.candidate) {
    return no("this server would let " + names->front() + " found the cluster");
  }
  promised_to_ = founding.candidate;
  promised_until_ = now + kPromiseHolds;
  return {};
}

void Founder::say(const std::string& what) {
  if (std::exchange(said_, what) != what) log::info("agent: " + what);
}

}  // namespace dkron::agent
