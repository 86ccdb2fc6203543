// Joiner: finds the addresses to join and joins them, once or again and again (spec cli,
// engine 6.15).
//
// Names are looked up on a worker, anew at each attempt. Main loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/membership.h"

namespace dkron::agent {

class Joiner {
 public:
  Joiner(TaskLoop& loop, net::WorkerPool& workers, gossip::Service& service,
         Membership::JoinOptions options, std::function<void(Error)> on_given_up);
  ~Joiner();
  void start();

 private:
  struct Found {
    std::vector<gossip::Endpoint> endpoints;
    std::vector<std::string> errors;
  };
  using OnFound = std::function<void(Found)>;

  void find(const std::vector<std::string>& texts, const OnFound& on_found);
  static Found look_up(const std::vector<std::string>& texts, std::uint16_t default_port);
  void join_once();
  void rejoin(std::size_t first);
  void try_to_join();
  void leave_out_ourselves(std::vector<gossip::Endpoint>& endpoints);
  void on_attempt(const Result<std::size_t>& joined);

  TaskLoop& loop_;
  net::WorkerPool& workers_;
  gossip::Service& service_;
  Membership::JoinOptions options_;
  std::function<void(Error)> on_given_up_;
  std::unique_ptr<Timer> retry_timer_;
  int attempts_ = 0;  // Behind the early ones.
  Duration pause_{0};
  std::shared_ptr<char> alive_token_ = std::make_shared<char>();  // Guards late answers.
};

}  // namespace dkron::agent
