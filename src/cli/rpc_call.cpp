#include "cli/rpc_call.h"

#include <array>

#include "base/file.h"
#include "base/log.h"
#include "config/address.h"
#include "net/loop.h"

namespace dkron::cli {
namespace {

constexpr std::string_view kLoopback = "127.0.0.1:6868";
constexpr std::uint16_t kDefaultPort = 6868;
constexpr std::array kOptions{kRpcAddr, kCertFile, kKeyFile, kTrustedCaFile};
constexpr std::size_t kPemLimitBytes = 1024 * 1024;

Result<rpc::Client::Options> read_options(const config::Flags& flags) {
  rpc::Client::Options options;
  const std::pair<std::string_view, std::string*> files[] = {
      {"cert-file", &options.tls.certificate},
      {"key-file", &options.tls.key},
      {"trusted-ca-file", &options.tls.trusted}};
  for (const auto& [flag, text] : files) {
    const std::string path = flags.get(flag, kOptions);
    if (path.empty()) continue;
    auto content = read_file(path, kPemLimitBytes);
    if (!content) return fail(content.error());
    *text = std::move(*content);
  }
  return options;
}

Result<void> call(const rpc::Client::Options& options, const std::string& address,
                  const StartCall& start) {
  net::Loop loop;
  const auto client = rpc::Client::make(loop, options);
  Result<void> outcome;
  start(*client, address, [&loop, &outcome](const Error* error) {
    if (error != nullptr) outcome = fail(*error);
    loop.stop();
  });
  loop.run();
  return outcome;
}

}  // namespace

Result<void> make_call(const config::Flags& flags, const StartCall& start) {
  log::configure({log::Level::Info, log::Format::Text, {}});
  auto text = config::render_address(flags.get("rpc-addr", kOptions));
  if (!text) return fail(text.error());
  auto address = config::split_host_port(*text, kDefaultPort);
  if (!address) return fail(address.error());
  auto options = read_options(flags);
  if (!options) return fail(options.error());
  std::string target = config::join_host_port(address->host, address->port);
  auto called = call(*options, target, start);
  const bool unreached = !called && called.error().code == ErrorCode::Unavailable;
  if (unreached && !flags.has("rpc-addr")) {
    target = kLoopback;
    called = call(*options, target, start);
  }
  if (called) return called;
  log::error("grpc: Error calling gRPC method",
             {{"server_addr", target}, {"error", called.error()}});
  return fail(called.error().code,
              "rpc error: code = " + std::string(unreached ? "Unavailable" : "Unknown") +
                  " desc = " + called.error().message);
}

}  // namespace dkron::cli
