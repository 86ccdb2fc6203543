// One call to a node over gRPC, from the command line: waits for the answer.
//
// Without --rpc-addr the node of this machine is asked, at its private address, else at loopback.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"
#include "rpc/client.h"

namespace dkron::cli {

inline constexpr config::Option kRpcAddr{
    "rpc-addr", config::Type::String, "{{ GetPrivateIP }}:6868",
    "gRPC address of the node. Address templates are understood."};
inline constexpr config::Option kCertFile{"cert-file", config::Type::String, "",
                                          "Certificate of this caller (PEM), where TLS is on"};
inline constexpr config::Option kKeyFile{"key-file", config::Type::String, "", "Its private key"};
inline constexpr config::Option kTrustedCaFile{"trusted-ca-file", config::Type::String, "",
                                               "Certificates of those whom the node is checked by"};

using StartCall = std::function<void(rpc::Client&, const std::string& address,
                                     std::function<void(const Error*)> done)>;
// Blocks. The error has the words of the reference's client in front.
Result<void> make_call(const config::Flags& flags, const StartCall& start);

template <class T, class Start>
Result<T> call_node(const config::Flags& flags, Start start) {
  auto answer = std::make_shared<std::optional<Result<T>>>();
  auto called = make_call(flags, [&](rpc::Client& client, const std::string& to, auto done) {
    start(client, to, [answer, done](Result<T> result) {
      const bool failed = !result;
      *answer = std::move(result);
      done(failed ? &(*answer)->error() : nullptr);
    });
  });
  if (!called) return fail(called.error());
  return std::move(**answer);
}

}  // namespace dkron::cli
