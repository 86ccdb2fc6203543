#include "gossip/serf.h"

#include <utility>

#include "base/assert.h"

namespace dkron::gossip {
namespace {

Result<std::string> meta_of(const Tags& tags) {
  std::string meta = encode_tags(tags);
  if (meta.size() <= kMaxMetaBytes) return meta;
  return fail(ErrorCode::InvalidArgument, "encoded length of tags exceeds limit of " +
                                              std::to_string(kMaxMetaBytes) + " bytes");
}

// The largest message that fits into a packet of its own: behind a compound's header, its length
// and memberlist's type byte.
std::size_t max_message_bytes(const Profile& profile, const Framing& framing) {
  constexpr std::size_t kHeaderBytes = 2 + 2 + 1;
  const std::size_t label_bytes = framing.label.empty() ? 0 : 2 + framing.label.size();
  return profile.packet_budget_bytes - kHeaderBytes - label_bytes - Keyring::kOverheadBytes;
}

Roster::Options roster_options(const Serf::Options& options) {
  return {.self = {.name = options.name,
                   .endpoint = options.advertise,
                   .meta = encode_tags(options.tags),
                   .versions = options.versions},
          .reconnect_timeout = options.reconnect_timeout,
          .tombstone_timeout = options.tombstone_timeout,
          .recent_intent_timeout = options.recent_intent_timeout,
          .prune_delay = options.broadcast_timeout + options.leave_propagate_delay};
}

Memberlist::Options memberlist_options(const Serf::Options& options) {
  return {.name = options.name,
          .advertise = options.advertise,
          .meta = encode_tags(options.tags),
          .versions = options.versions,
          .profile = options.profile};
}

}  // namespace

Result<std::unique_ptr<Serf>> Serf::make(Options options, Handlers handlers,
                                         Environment environment) {
  if (const Result<std::string> meta = meta_of(options.tags); !meta) return fail(meta.error());
  if (options.event_buffer == 0 || options.query_buffer == 0) {
    return fail(ErrorCode::InvalidArgument, "the buffers of events and queries cannot be empty");
  }
  return std::unique_ptr<Serf>(new Serf(std::move(options), std::move(handlers), environment));
}

Serf::Serf(Options options, Handlers handlers, Environment environment)
    : options_(std::move(options)),
      handlers_(std::move(handlers)),
      env_(environment),
      mailbox_(env_.timers),
      member_events_(options_.coalesce_period, options_.quiescent_period, env_.timers,
                     [this](MemberEvent event) {
                       mailbox_.post([this, event = std::move(event)] {
                         if (handlers_.on_member_event) handlers_.on_member_event(event);
                       });
                     }),
      user_events_(options_.coalesce_period, options_.quiescent_period, env_.timers,
                   [this](UserEvent event) {
                     mailbox_.post([this, event = std::move(event)] {
                       if (handlers_.on_user_event) handlers_.on_user_event(event);
                     });
                   }),
      roster_(
          roster_options(options_), env_.timers,
          [this](MemberEvent::Type type, const Member& member) { on_member_change(type, member); }),
      events_(options_.event_buffer),
      queries_(options_.query_buffer),
      broadcasts_(options_.profile.retransmit_mult,
                  max_message_bytes(options_.profile, env_.framing)),
      round_trips_(options_.name, env_.random),
      key_keeper_(env_.keyring, handlers_.on_keyring_changed),
      memberlist_(std::make_unique<Memberlist>(
          memberlist_options(options_),
          Memberlist::Environment{env_.timers, env_.random, env_.transport, *this, env_.framing})),
      open_queries_(env_.timers, mailbox_),
      answers_(options_.query_response_limit_bytes, *memberlist_, roster_.members(), env_.random),
      key_manager_(asker()),
      vote_(options_.name, options_.advertise, asker(), [this] {
        if (handlers_.on_name_lost) handlers_.on_name_lost();
      }) {}

Serf::~Serf() {
  stop();
}

void Serf::restore(const Clocks& clocks) {
  DK_ASSERT(phase_ == Phase::Fresh);
  roster_.clock().witness(clocks.member);
  events_.clock().witness(clocks.event);
  events_.ignore_before(clocks.event + 1);
  queries_.clock().witness(clocks.query);
  queries_.ignore_before(clocks.query + 1);
}

void Serf::start() {
  DK_ASSERT(phase_ == Phase::Fresh);
  phase_ = Phase::Running;
  memberlist_->start();
  reap_timer_ = env_.timers.after(options_.reap_interval, [this] { reap(); });
  reconnect_timer_ = env_.timers.after(options_.reconnect_interval, [this] { reconnect(); });
}

void Serf::stop() {
  if (std::exchange(phase_, Phase::Stopped) == Phase::Stopped) return;
  mailbox_.close();
  member_events_.stop();
  user_events_.stop();
  roster_.stop();
  open_queries_.stop();
  leave_timer_.cancel();
  reap_timer_.cancel();
  reconnect_timer_.cancel();
  alive_token_.reset();
  memberlist_->stop();
}

void Serf::join(const std::vector<Endpoint>& endpoints, bool ignore_old,
                std::function<void(Result<std::size_t>)> done) {
  if (phase_ != Phase::Running) {
    mailbox_.post(
        [done = std::move(done)] { done(fail(ErrorCode::Unavailable, "gossip does not run")); });
    return;
  }
  struct Progress {
    std::size_t waiting = 0;
    std::size_t reached = 0;
    Error last{ErrorCode::InvalidArgument, "no address to join"};
    std::function<void(Result<std::size_t>)> done;
  };
  auto progress = std::make_shared<Progress>();
  progress->waiting = endpoints.size() + 1;
  progress->done = std::move(done);
  ++joins_;
  if (ignore_old) ++joins_ignoring_old_;
  const auto on_joined = [this, progress, ignore_old] {
    if (--progress->waiting > 0) return;
    --joins_;
    if (ignore_old) --joins_ignoring_old_;
    // A join that ends while we leave must not contradict that.
    if (progress->reached > 0 && phase_ == Phase::Running) broadcast_join();
    mailbox_.post([progress] {
      if (progress->reached == 0) return progress->done(fail(progress->last));
      progress->done(progress->reached);
    });
  };
  for (const Endpoint& endpoint : endpoints) {
    memberlist_->join(endpoint, [progress, endpoint, on_joined](const Result<>& joined) {
      if (joined) {
        ++progress->reached;
      } else {
        progress->last = {joined.error().code,
                          endpoint.to_string() + ": " + joined.error().message};
      }
      on_joined();
    });
  }
  on_joined();  // For itself: the list may be empty.
}

Result<> Serf::set_tags(Tags tags, Done done) {
  if (phase_ != Phase::Running) {
    return fail(ErrorCode::Unavailable, "tags can be changed only while gossip runs");
  }
  Result<std::string> meta = meta_of(tags);
  if (!meta) return fail(meta.error());
  options_.tags = std::move(tags);
  memberlist_->update(std::move(*meta), [this, done = std::move(done)](Result<> updated) {
    mailbox_.post([done, updated = std::move(updated)] { done(updated); });
  });
  return {};
}

Result<> Serf::send_event(std::string_view name, std::string_view payload, bool may_coalesce) {
  if (phase_ != Phase::Running) return fail(ErrorCode::Unavailable, "gossip does not run");
  const UserEvent event{events_.clock().time(), std::string(name), std::string(payload),
                        may_coalesce};
  std::string message = encode(event);
  const std::size_t limit = options_.user_event_limit_bytes;
  if (name.size() + payload.size() > limit || message.size() > limit) {
    return fail(ErrorCode::TooLarge,
                "the event is larger than " + std::to_string(limit) + " bytes");
  }
  on_message(event);
  broadcast(SerfBroadcasts::Kind::Event, std::move(message));
  return {};
}

std::vector<Member> Serf::members() const {
  std::vector<Member> members;
  members.reserve(roster_.members().size());
  for (const KnownMember* known : roster_.members().by_name()) members.push_back(known->member);
  return members;
}

const Member* Serf::find(const std::string& name) const {
  const KnownMember* known = roster_.members().find(name);
  return known == nullptr ? nullptr : &known->member;
}

const Member& Serf::local() const {
  return roster_.self();
}

Serf::Clocks Serf::clocks() const {
  return {roster_.clock().time() - 1, events_.clock().time() - 1, queries_.clock().time() - 1};
}

std::optional<Duration> Serf::round_trip(const std::string& a, const std::string& b) const {
  return round_trips_.between(a, b);
}

void Serf::on_packet(const Endpoint& from, std::string_view datagram) {
  if (phase_ == Phase::Fresh || phase_ == Phase::Stopped) return;
  memberlist_->on_packet(from, datagram);
}

std::optional<StreamMessage> Serf::on_stream(const StreamMessage& message) {
  if (phase_ == Phase::Fresh || phase_ == Phase::Stopped) return std::nullopt;
  return memberlist_->on_stream(message);
}

}  // namespace dkron::gossip
