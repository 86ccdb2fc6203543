// OpenQueries: the queries that we asked and whose answers are being collected.
//
// One acknowledgement and one response count per member. Limits: kMaxOpen queries at a time,
// kMaxAnswers members' answers of each kind, kMaxTimeout. Handlers are called through the mailbox.
// Part of Serf; lives on its thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "gossip/mailbox.h"
#include "gossip/query.h"

namespace dkron::gossip {

class OpenQueries {
 public:
  static constexpr std::size_t kMaxOpen = 1024;
  static constexpr std::size_t kMaxAnswers = 16'384;

  OpenQueries(Timers& timers, Mailbox& mailbox) : timers_(timers), mailbox_(mailbox) {}

  bool is_full() const { return queries_.size() >= kMaxOpen; }
  // `time` is that of no other open query.
  void open(const Query& query, std::size_t enough_responses, QueryHandlers handlers);
  void on_response(const QueryResponse& response);
  // Without calls of their handlers.
  void stop() { queries_.clear(); }

 private:
  struct Open {
    std::uint32_t id = 0;
    std::size_t enough_responses = 0;
    std::shared_ptr<const QueryHandlers> handlers;
    std::set<std::string> acks;
    std::set<std::string> responses;
    Timers::Handle deadline;
  };
  void close(LamportTime time);

  Timers& timers_;
  Mailbox& mailbox_;
  std::map<LamportTime, Open> queries_;
};

}  // namespace dkron::gossip
