// ClusterNodes: the nodes of the cluster as the leader's launcher and runner see them: this one and
// the others.
//
// Main loop's thread.
#pragma once

#include <string>
#include <vector>

#include "agent/own_runs.h"
#include "agent/peer_table.h"
#include "agent/remote_runs.h"
#include "base/random.h"
#include "runner/services.h"

namespace dkron::agent {

class ClusterNodes final : public runner::Nodes {
 public:
  ClusterNodes(std::string own_name, const PeerTable& peers, OwnRuns& own, RemoteRuns& remote,
               Random& random)
      : own_name_(std::move(own_name)),
        peers_(peers),
        own_(own),
        remote_(remote),
        random_(random) {}

  std::vector<std::string> select(const std::optional<model::StringMap>& tags) override {
    return peers_.select(tags, random_);
  }
  void dispatch(const state::AttemptOpened& attempt) override {
    if (attempt.node == own_name_) {
      own_.order(attempt);
    } else {
      remote_.dispatch(attempt);
    }
  }
  std::size_t waiting() const override { return own_.runs().waiting() + remote_.waiting(); }

 private:
  const std::string own_name_;
  const PeerTable& peers_;
  OwnRuns& own_;
  RemoteRuns& remote_;
  Random& random_;
};

}  // namespace dkron::agent
