#include "agent/membership.h"

#include <utility>

#include "agent/joiner.h"
#include "base/log.h"

namespace dkron::agent {
namespace {

// The same refusal is logged again after so long.
constexpr Duration kRefusedLogPause = minutes(1);

std::string tag_of(const gossip::Tags& tags, std::string_view key) {
  const auto found = tags.find(std::string(key));
  return found == tags.end() ? std::string() : found->second;
}

api::Member shown(const gossip::Member& member) {
  api::Member row;
  row.name = member.name;
  row.address = member.endpoint.ip.to_string();
  row.port = member.endpoint.port;
  row.tags = member.tags();
  row.status = static_cast<int>(member.status);
  row.versions = {member.versions.protocol_min,     member.versions.protocol_max,
                  member.versions.protocol_current, member.versions.delegate_min,
                  member.versions.delegate_max,     member.versions.delegate_current};
  return row;
}

void log_event(const gossip::MemberEvent& event) {
  for (const gossip::Member& member : event.members) {
    log::info("agent: Received event", {{"event", "member-" + std::string(to_string(event.type))},
                                        {"member", member.name},
                                        {"address", member.endpoint.to_string()}});
  }
}

}  // namespace

Membership::Membership(const Clock& clock, Handlers handlers)
    : clock_(clock), handlers_(std::move(handlers)) {}

Membership::~Membership() = default;

Result<std::unique_ptr<Membership>> Membership::start(net::Loop& loop, net::WorkerPool& workers,
                                                      const Clock& clock, Options options,
                                                      Handlers handlers) {
  auto made = std::unique_ptr<Membership>(new Membership(clock, std::move(handlers)));
  Membership* self = made.get();
  self->cluster_id_ = tag_of(options.gossip.serf.tags, kClusterIdTag);
  options.gossip.serf.accept = [self](const std::string& name, const gossip::Tags& tags) {
    return self->accept(name, tags);
  };
  gossip::Serf::Handlers events;
  events.on_member_event = [self](const gossip::MemberEvent& event) { self->on_event(event); };
  self->memory_ = MemberMemory::open(loop, workers, options.memory_file);
  options.gossip.clocks = self->memory_->clocks();
  options.join.remembered = self->memory_->remembered(options.gossip.serf.name);
  events.on_name_lost = [self, name = options.gossip.serf.name] {
    self->handlers_.on_fatal(
        {ErrorCode::Conflict, "another node is a member under the name \"" + name +
                                  "\": give each node a name of its own (--node-name)"});
  };
  auto service = gossip::Service::start(loop, clock, std::move(options.gossip), std::move(events));
  if (!service) return fail(service.error());
  self->service_ = std::move(*service);
  self->joiner_ =
      std::make_unique<Joiner>(loop, workers, *self->service_, options.join,
                               [self](Error e) { self->handlers_.on_fatal(std::move(e)); });
  self->joiner_->start();
  return made;
}

void Membership::on_event(const gossip::MemberEvent& event) {
  log_event(event);
  memory_->record(event, serf().clocks());
  if (handlers_.on_event) handlers_.on_event(event);
}

Result<> Membership::accept(const std::string& name, const gossip::Tags& tags) {
  const std::string theirs = tag_of(tags, kClusterIdTag);
  if (theirs.empty() || cluster_id_.empty() || theirs == cluster_id_) {
    refused_.erase(name);
    return {};
  }
  const Error reason{ErrorCode::Conflict, "member \"" + name + "\" belongs to cluster " + theirs +
                                              ", not to cluster " + cluster_id_};
  remember_refused(name, tags, reason);
  return fail(reason);
}

void Membership::remember_refused(const std::string& name, const gossip::Tags& tags,
                                  const Error& reason) {
  const Duration now = clock_.steady();
  std::erase_if(refused_, [now](const auto& r) { return now - r.second.seen > kRefusedMemory; });
  const bool is_new = !refused_.contains(name);
  if (is_new && refused_.size() >= kMaxRefused) return;
  Refused& refused = refused_[name];
  refused.member.name = name;
  refused.member.tags = tags;
  refused.member.status = 0;
  refused.member.refused = reason.message;
  refused.seen = now;
  if (!is_new && now - refused.logged < kRefusedLogPause) return;
  refused.logged = now;
  log::error("agent: a member of another cluster was refused",
             {{"member", name}, {"reason", reason}});
}

std::vector<api::Member> Membership::members() {
  std::vector<api::Member> rows;
  for (const gossip::Member& member : serf().members()) rows.push_back(shown(member));
  for (const auto& [name, refused] : refused_) {
    if (clock_.steady() - refused.seen <= kRefusedMemory) rows.push_back(refused.member);
  }
  return rows;
}

Result<> Membership::set_tags(gossip::Tags tags) {
  cluster_id_ = tag_of(tags, kClusterIdTag);
  return serf().set_tags(std::move(tags), [](const Result<>& told) {
    if (!told) log::warning("agent: not every member may know the new tags yet");
  });
}

void Membership::manage_keys(gossip::KeyAction action, const std::string& key,
                             const std::function<void(Result<gossip::KeyReport>)>& done) {
  if (service_->keyring() == nullptr) {
    done(fail(ErrorCode::Conflict, "gossip is not encrypted: start the nodes with --encrypt"));
    return;
  }
  const Result<> asked =
      serf().manage_keys(action, key, [done](const gossip::KeyReport& report) { done(report); });
  if (!asked) done(fail(asked.error()));
}

api::GossipStatus Membership::status() {
  gossip::Serf& serf = this->serf();
  api::GossipStatus status;
  status.members = 0;
  for (const gossip::Member& member : serf.members()) {
    ++status.members;
    if (member.status == gossip::MemberStatus::Failed) ++status.failed;
    if (member.status == gossip::MemberStatus::Left) ++status.left;
  }
  const gossip::Serf::Clocks clocks = serf.clocks();
  status.health_score = serf.memberlist().health_score();
  status.is_encrypted = service_->keyring() != nullptr;
  // The times that the next message will carry.
  status.member_time = clocks.member + 1;
  status.event_time = clocks.event + 1;
  status.query_time = clocks.query + 1;
  using Kind = gossip::SerfBroadcasts::Kind;
  status.intent_queue = serf.waiting(Kind::Intent);
  status.event_queue = serf.waiting(Kind::Event);
  status.query_queue = serf.waiting(Kind::Query);
  return status;
}

void Membership::leave(std::function<void()> done) {
  joiner_.reset();
  serf().leave([done = std::move(done)](const Result<>& left) {
    if (!left) log::warning("agent: the others may not know that this node left");
    done();
  });
}

}  // namespace dkron::agent
