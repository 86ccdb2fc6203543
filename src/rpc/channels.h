// Channels: the client's connections, one per address, and what is known of who answers there.
//
// A channel connects by itself when it is used. It is closed when nothing used it for
// Client::kIdleLimit; a call holds a Lease, so that its channel outlives it. Nodes of ours are
// asked more often whether they are there than the original's allow. Main loop.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "rpc/client.h"

namespace grpc {
class Channel;
}

namespace dkron::rpc {

class Channels {
 public:
  static constexpr std::size_t kAddressLimit = 16'384;  // Beyond it: Overloaded.
  // How long it is remembered that an address knows the older services only.
  static constexpr Duration kFamilyMemory = minutes(10);
  static constexpr Duration kSweepPause = minutes(1);

  Channels(TaskLoop& loop, Client::Options::Tls tls);
  ~Channels();
  void close();  // Lets go of everything; what is leased lives on.

  class Lease {
   public:
    Lease(std::shared_ptr<grpc::Channel> channel, std::string target, std::shared_ptr<int> users)
        : channel_(std::move(channel)), target_(std::move(target)), users_(std::move(users)) {}
    const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
    const std::string& target() const { return target_; }  // As gRPC was told.

   private:
    std::shared_ptr<grpc::Channel> channel_;
    std::string target_;
    std::shared_ptr<int> users_;  // Shared by all leases: its use count counts.
  };
  Result<Lease> lease(const std::string& address);

  void set_tls(Client::Options::Tls tls);

  bool is_old_family(const std::string& address) const;
  void remember_family(const std::string& address, bool is_old);
  void remember_ours(const std::string& address);

 private:
  struct Peer {
    std::shared_ptr<grpc::Channel> channel;  // Null: not needed for long.
    std::shared_ptr<int> users = std::make_shared<int>(0);
    Duration used_at{0};
    Duration old_family_until{0};
    bool is_ours = false;
  };
  std::shared_ptr<grpc::Channel> connect(const std::string& target, bool is_ours) const;
  void sweep();

  Client::Options::Tls tls_;
  std::unordered_map<std::string, Peer> peers_;
  std::unique_ptr<Timer> sweep_timer_;
};

}  // namespace dkron::rpc
