// Peer: one bare member on real sockets that a test drives by lines.
//
// Each line read from stdin is a JSON object {"id": 7, "do": "join", ...}; each line written to
// stdout is one too: the answer to a command under its id ({"id": 7, "ok": true, ...} or
// {"id": 7, "ok": false, "error": "..."}), or an event as it comes ({"event": "member-join", ...}).
// commands.cpp lists the commands. It answers a query called "echo" with its payload. The end of
// stdin ends the program, so that no peer outlives its test. Lives on the loop's thread.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "gossip/service.h"
#include "net/loop.h"

namespace dkron::serf_peer {

class Peer {
 public:
  // Writes {"event": "ready", "address": "127.0.0.1:4711"} once it listens.
  static Result<std::unique_ptr<Peer>> start(net::Loop& loop, gossip::Service::Options options);

  int exit_status() const { return exit_status_; }

 private:
  using Id = std::int64_t;
  using Arguments = boost::json::object;
  using Command = void (Peer::*)(Id, const Arguments&);

  explicit Peer(net::Loop& loop) : loop_(loop) {}
  gossip::Serf::Handlers handlers();
  void on_query(const gossip::IncomingQuery& query);
  void on_name_lost();
  void end(int exit_status);

  void wait_for_input();
  void read_input();
  void run_line(std::string_view line);
  static Command find_command(std::string_view word);

  void join(Id id, const Arguments& arguments);
  void leave(Id id, const Arguments& arguments);
  void set_tags(Id id, const Arguments& arguments);
  void send_event(Id id, const Arguments& arguments);
  void send_query(Id id, const Arguments& arguments);
  void force_leave(Id id, const Arguments& arguments);
  void manage_keys(Id id, const Arguments& arguments);
  void show_members(Id id, const Arguments& arguments);
  void show_round_trip(Id id, const Arguments& arguments);
  void show_counters(Id id, const Arguments& arguments);
  void drop(Id id, const Arguments& arguments);
  void undrop(Id id, const Arguments& arguments);

  void write(const boost::json::object& line);
  void answer(Id id, boost::json::object line = {});
  void answer(Id id, const Result<>& result);

  net::Loop& loop_;
  std::set<gossip::Endpoint> dropped_;
  bool drops_all_ = false;
  int exit_status_ = 0;
  std::string input_;
  std::unique_ptr<net::Loop::Watch> input_watch_;
  std::unique_ptr<gossip::Service> service_;  // Last: its handlers use what is above.
};

boost::json::object to_json(const gossip::Member& member);

}  // namespace dkron::serf_peer
