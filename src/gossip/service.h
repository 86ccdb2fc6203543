// Service: this process's membership: Serf with its sockets, its clock, its keys and its files.
//
// Owns everything that the pure core needs from the outside. Lives on the main loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "gossip/serf.h"
#include "gossip/socket_transport.h"
#include "net/loop.h"

namespace dkron::gossip {

class Service {
 public:
  struct Options {
    Endpoint bind;
    std::vector<std::string> keys;  // Raw, primary first; none: nothing is encrypted.
    // Changes of the keys are kept here (mode 0600), and what is here wins over `keys` at the
    // start, so that a rotated key survives a restart. Empty: changes last as long as the process.
    Path keyring_file;
    Serf::Options serf;   // `advertise` with port 0 takes the bound one.
    Serf::Clocks clocks;  // Of an earlier life (snapshot.h).
    std::function<bool(const Endpoint&)> loses_packets;  // For tests (socket_transport.h).
  };

  // Binds and announces this node. Errors name the address or the key at fault.
  static Result<std::unique_ptr<Service>> start(net::Loop& loop, const Clock& clock,
                                                Options options, Serf::Handlers handlers);
  ~Service();

  Serf& serf();  // With its time moved to now.
  Endpoint local() const { return transport_->local(); }
  const Keyring* keyring() const { return keyring_ ? &*keyring_ : nullptr; }

 private:
  Service(net::Loop& loop, const Clock& clock);
  Result<> open(Options options, Serf::Handlers handlers);
  Result<> open_keyring(const Options& options);
  void wait_for_next();
  void on_wake();

  const Clock& clock_;
  std::unique_ptr<Timer> wake_timer_;
  bool has_listened_ = false;  // Behind a pause, before what was due in it.
  Timers timers_;
  std::optional<Keyring> keyring_;
  Framing framing_;
  std::unique_ptr<SocketTransport> transport_;
  std::unique_ptr<Serf> serf_;
};

}  // namespace dkron::gossip
