// Serf: members with tags, events and queries on top of the memberlist.
//
// Adds to the memberlist's view who left on purpose and who failed, Lamport-ordered join and leave
// intents, user events, queries with answers, key management, name conflicts, reaping and
// reconnecting, and network coordinates. A pure state machine as the memberlist below;
// wire-compatible with Serf 0.9 and 0.10 (gossip specification 7 to 9). Lives on one thread, the
// program's main loop. Handlers and callbacks are called there, from the Timers and never from
// within a call into Serf; they may call back into Serf, but not destroy it. After stop() none is
// called any more.
//
// The parts: Roster (who is a member, and how), EventRing and QueryRing (each event and query
// once), OpenQueries and QueryAnswers (asking and answering), KeyKeeper and KeyManager,
// ConflictVote, coalescers, RoundTrips. Serf itself connects them with the memberlist.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gossip/coalescer.h"
#include "gossip/conflict_vote.h"
#include "gossip/event_ring.h"
#include "gossip/key_queries.h"
#include "gossip/mailbox.h"
#include "gossip/member.h"
#include "gossip/memberlist.h"
#include "gossip/open_queries.h"
#include "gossip/query.h"
#include "gossip/query_answers.h"
#include "gossip/query_ring.h"
#include "gossip/roster.h"
#include "gossip/round_trips.h"
#include "gossip/serf_broadcasts.h"

namespace dkron::gossip {

class Serf final : private Delegate {
 public:
  struct Options {
    std::string name;
    Endpoint advertise;
    Tags tags;
    Profile profile;
    Versions versions;
    Duration reconnect_timeout = hours(24);  // A failed member is forgotten.
    Duration tombstone_timeout = hours(24);  // A left member is forgotten.
    Duration reconnect_interval = seconds(30);
    Duration reap_interval = seconds(15);
    Duration recent_intent_timeout = minutes(5);
    Duration broadcast_timeout = seconds(5);
    Duration leave_propagate_delay = seconds(1);
    Duration coalesce_period = seconds(3);  // Zero: events are delivered at once.
    Duration quiescent_period = seconds(1);
    std::size_t event_buffer = 512;
    std::size_t query_buffer = 512;
    std::size_t query_limit_bytes = 1024;
    std::size_t query_response_limit_bytes = 1024;
    std::size_t user_event_limit_bytes = 512;
    bool resolves_name_conflicts = true;
    // Whether that node may be a member (another cluster's may not); the error says why not. Not
    // given: everybody.
    std::function<Result<>(const std::string& name, const Tags& tags)> accept;
  };
  struct Handlers {
    std::function<void(const MemberEvent&)> on_member_event;
    std::function<void(const UserEvent&)> on_user_event;
    std::function<void(const IncomingQuery&)> on_query;
    // Another node has our name and the others sided with it: we must go.
    std::function<void()> on_name_lost;
    // The keyring was changed by a query; to be saved before it is answered.
    std::function<Result<>(const Keyring&)> on_keyring_changed;
  };
  struct Environment {
    Timers& timers;
    Random& random;
    Transport& transport;
    Framing& framing;
    Keyring* keyring = nullptr;  // That of `framing`; null when nothing is encrypted.
  };
  // The latest times that were seen: what a snapshot remembers of a life (snapshot_file.h).
  struct Clocks {
    LamportTime member = 0;
    LamportTime event = 0;
    LamportTime query = 0;
  };

  // What operators are shown; all grow.
  struct Counters {
    std::uint64_t messages_dropped = 0;     // Malformed.
    std::uint64_t messages_too_large = 0;   // Taken, but too large to be passed on.
    std::uint64_t coordinates_refused = 0;  // Malformed or not plausible.
    std::uint64_t events = 0;               // User events that were new.
    std::uint64_t queries = 0;              // Queries that were new.
    std::uint64_t name_conflicts = 0;
  };

  // InvalidArgument when the tags are too large.
  static Result<std::unique_ptr<Serf>> make(Options options, Handlers handlers,
                                            Environment environment);
  ~Serf() override;

  void restore(const Clocks& clocks);  // Before start(): older events and queries are ignored.
  void start();
  void stop();

  using Done = std::function<void(Result<>)>;
  // Joins each; done with how many were reached, or the last error when none was. `ignore_old`:
  // events from before are not delivered.
  void join(const std::vector<Endpoint>& endpoints, bool ignore_old,
            std::function<void(Result<std::size_t>)> done);
  // Tells the others and waits until they can know (about 2 s, at most 12 s). Then stop() it.
  void leave(Done done);
  // A failed member counts as left from now on; `prune` forgets it at once. NotFound when unknown.
  Result<> force_leave(const std::string& name, bool prune);

  // InvalidArgument when they are too large together; done as Memberlist::update().
  Result<> set_tags(Tags tags, Done done);
  Result<> send_event(std::string_view name, std::string_view payload, bool may_coalesce);
  // Overloaded when too many are open. TooLarge beyond the limit.
  Result<> send_query(std::string_view name, std::string_view payload, const QueryOptions& options,
                      QueryHandlers handlers);

  using KeyAction = gossip::KeyAction;
  // Asks every member; `key` is Base64, empty for List.
  Result<> manage_keys(KeyAction action, const std::string& key,
                       std::function<void(const KeyReport&)> done);

  std::vector<Member> members() const;  // By name.
  const Member* find(const std::string& name) const;
  const MemberTable& member_table() const { return roster_.members(); }
  const Member& local() const;
  Clocks clocks() const;
  // The estimated round trip between two members; nothing when one has no coordinate yet.
  std::optional<Duration> round_trip(const std::string& a, const std::string& b) const;

  // From the network (see Memberlist).
  void on_packet(const Endpoint& from, std::string_view datagram);
  std::optional<StreamMessage> on_stream(const StreamMessage& message);
  const Memberlist& memberlist() const { return *memberlist_; }
  const Counters& counters() const { return counters_; }
  // Messages that wait to be gossiped.
  std::size_t waiting(SerfBroadcasts::Kind kind) const { return broadcasts_.waiting(kind); }

 private:
  enum class Phase { Fresh, Running, Leaving, Left, Stopped };

  Serf(Options options, Handlers handlers, Environment environment);

  // Delegate (serf_delegate.cpp).
  Result<> accept(const NodeRecord& node) override;
  void on_join(const NodeRecord& node) override { roster_.on_join(node); }
  void on_leave(const NodeRecord& node) override { roster_.on_leave(node); }
  void on_update(const NodeRecord& node) override { roster_.on_update(node); }
  void on_conflict(const NodeRecord& known, const Alive& other) override;
  void on_user_message(std::string_view payload) override;
  void take_broadcasts(std::size_t overhead_bytes, std::size_t& room_bytes,
                       std::vector<std::string>& out) override;
  std::string local_state(bool is_join) override;
  void merge_remote_state(std::string_view state, bool is_join) override;
  std::string ack_payload() override { return round_trips_.ack_payload(); }
  void on_ping_complete(const NodeRecord& node, Duration round_trip,
                        std::string_view payload) override;

  // Messages of others and of ourselves; whether they are to be passed on.
  bool on_message(const LeaveIntent& intent);
  bool on_message(const JoinIntent& intent);
  bool on_message(const UserEvent& event);
  bool on_message(const Query& query);
  bool on_message(const QueryResponse& response);
  bool on_message(const Relay& relay);
  void broadcast(SerfBroadcasts::Kind kind, std::string message);
  void broadcast_join();
  void merge_intents(const SerfState& state);
  void on_member_change(MemberEvent::Type type, const Member& member);

  // Queries (serf_queries.cpp).
  Result<> ask(std::string_view name, std::string_view payload, const QueryOptions& options,
               QueryHandlers handlers);
  Duration query_timeout(const QueryOptions& options) const;
  void answer_internally(const Query& query);
  std::optional<std::string> conflict_answer(const std::string& name) const;
  void hand_over(const Query& query);
  AskQuery asker();

  // Leaving, reaping and reconnecting (serf_upkeep.cpp).
  void leave_memberlist();
  void on_memberlist_left(bool had_others);
  void reap();
  void reconnect();

  Options options_;
  Handlers handlers_;
  Environment env_;
  Phase phase_ = Phase::Fresh;
  Counters counters_;
  int joins_ = 0;               // Running ones.
  int joins_ignoring_old_ = 0;  // Of these.

  Mailbox mailbox_;
  MemberCoalescer member_events_;
  UserCoalescer user_events_;
  Roster roster_;
  EventRing events_;
  QueryRing queries_;
  SerfBroadcasts broadcasts_;
  RoundTrips round_trips_;
  KeyKeeper key_keeper_;
  std::unique_ptr<Memberlist> memberlist_;
  OpenQueries open_queries_;
  QueryAnswers answers_;
  KeyManager key_manager_;
  ConflictVote vote_;
  Done leave_done_;
  Timers::Handle leave_timer_;
  Timers::Handle reap_timer_;
  Timers::Handle reconnect_timer_;
  std::shared_ptr<char> alive_token_ = std::make_shared<char>();  // Guards late answers.
};

}  // namespace dkron::gossip
