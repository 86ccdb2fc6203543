// Membership: this node among the others: what it tells of itself, whom it joins, whom it sees.
//
// Owns the gossip service. Members of another cluster are refused and remembered for a while, so
// that an operator sees why they do not show up. Main loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/member_memory.h"
#include "agent/peer_table.h"
#include "api/services.h"
#include "base/clock.h"
#include "base/task_loop.h"
#include "gossip/service.h"
#include "net/worker_pool.h"

namespace dkron::agent {

class Joiner;

class Membership {
 public:
  // Refused members are remembered for so long after they were last heard of, at most so many.
  static constexpr Duration kRefusedMemory = minutes(10);
  static constexpr std::size_t kMaxRefused = 64;

  struct JoinOptions {
    std::vector<std::string> once;   // Tried once, when there is nothing in `retry`.
    std::vector<std::string> retry;  // Tried until one answers.
    int retry_max = 0;               // Attempts; 0: without end. Behind the last, on_fatal.
    Duration retry_interval = seconds(30);
    std::uint16_t default_port = 0;
    std::vector<gossip::Endpoint> remembered;  // Of an earlier life; a few at a time, once.
  };
  struct Options {
    gossip::Service::Options gossip;
    JoinOptions join;
    Path memory_file;
  };
  struct Handlers {
    std::function<void(const gossip::MemberEvent&)> on_event;
    std::function<void(Error)> on_fatal;  // Cannot go on: the name is taken, joining was given up.
  };

  static Result<std::unique_ptr<Membership>> start(net::Loop& loop, net::WorkerPool& workers,
                                                   const Clock& clock, Options options,
                                                   Handlers handlers);
  ~Membership();

  std::vector<api::Member> members();  // By name; refused ones behind the others.
  api::GossipStatus status();
  Result<> set_tags(gossip::Tags tags);
  // Asks all members; refused when nothing is encrypted.
  void manage_keys(gossip::KeyAction action, const std::string& key,
                   const std::function<void(Result<gossip::KeyReport>)>& done);
  gossip::Serf& serf() { return service_->serf(); }

  // Tells the others that this node leaves; `done` after at most about 12 s.
  void leave(std::function<void()> done);

 private:
  struct Refused {
    api::Member member;
    Duration seen{};
    Duration logged{};
  };
  Membership(const Clock& clock, Handlers handlers);
  void on_event(const gossip::MemberEvent& event);
  Result<> accept(const std::string& name, const gossip::Tags& tags);
  void remember_refused(const std::string& name, const gossip::Tags& tags, const Error& reason);

  const Clock& clock_;
  Handlers handlers_;
  std::string cluster_id_;
  std::map<std::string, Refused> refused_;
  std::unique_ptr<MemberMemory> memory_;
  std::unique_ptr<gossip::Service> service_;
  std::unique_ptr<Joiner> joiner_;
};

}  // namespace dkron::agent
