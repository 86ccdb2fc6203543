// MdnsSocket: one UDP socket that asks one peer or one multicast group, and hears the answers.
//
// Owned and used by the one thread that asks. Never blocks.
#pragma once

#include <netinet/in.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "config/address.h"

namespace dkron::discovery {

class MdnsSocket {
 public:
  // `peer` is an IP; a multicast group is asked on every interface that can.
  static Result<MdnsSocket> open(const config::HostPort& peer);
  int fd() const { return fd_.get(); }
  // False when it could be sent on no interface.
  bool send(std::string_view message) const;
  // One datagram; nothing when there is none.
  std::optional<std::string> receive() const;

 private:
  bool send_once(std::string_view message) const;
  bool select_interface(unsigned index) const;

  UniqueFd fd_;
  sockaddr_storage peer_{};
  socklen_t peer_size_ = 0;
  std::vector<unsigned> interfaces_;  // Empty for a peer that is no group.
};

}  // namespace dkron::discovery
