#include "rpc/channels.h"

#include <grpcpp/grpcpp.h>

#include "base/clock.h"

namespace dkron::rpc {
namespace {

// Servers of the original end a connection that asks more often than every 5 minutes.
constexpr int kPingPauseMs = 310'000;
constexpr int kPingPauseOfOursMs = 30'000;
constexpr int kPingLimitMs = 20'000;
constexpr int kFirstBackOffMs = 200;
constexpr int kLastBackOffMs = 2'000;
constexpr int kMessageLimitBytes = 4 * 1024 * 1024;

int to_ms(Duration d) {
  return static_cast<int>(std::chrono::duration_cast<milliseconds>(d).count());
}

}  // namespace

Channels::Channels(TaskLoop& loop, Client::Options::Tls tls)
    : tls_(std::move(tls)), sweep_timer_(loop.make_timer()) {
  sweep_timer_->start(kSweepPause, [this] { sweep(); });
}

Channels::~Channels() = default;

void Channels::close() {
  peers_.clear();
  sweep_timer_ = nullptr;
}

Result<Channels::Lease> Channels::lease(const std::string& address) {
  if (!peers_.contains(address) && peers_.size() >= kAddressLimit)
    return fail(ErrorCode::Overloaded, "too many nodes are called at once");
  Peer& peer = peers_[address];
  peer.used_at = system_clock().steady();
  const std::string target = "dns:///" + address;
  if (peer.channel == nullptr) peer.channel = connect(target, peer.is_ours);
  return Lease(peer.channel, target, peer.users);
}

std::shared_ptr<grpc::Channel> Channels::connect(const std::string& target, bool is_ours) const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // What happened to a call is ours to judge: it may have started a job.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, to_ms(Client::kConnectLimit));
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstBackOffMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLastBackOffMs);
  arguments.SetInt(GRPC_ARG_DNS_ARES_QUERY_TIMEOUT_MS, to_ms(Client::kConnectLimit));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, is_ours ? kPingPauseOfOursMs : kPingPauseMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingLimitMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetMaxReceiveMessageSize(kMessageLimitBytes);
  if (tls_.trusted.empty())
    return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
  if (!tls_.server_name.empty()) arguments.SetSslTargetNameOverride(tls_.server_name);
  const grpc::SslCredentialsOptions options{tls_.trusted, tls_.key, tls_.certificate};
  return grpc::CreateCustomChannel(target, grpc::SslCredentials(options), arguments);
}

void Channels::set_tls(Client::Options::Tls tls) {
  tls_ = std::move(tls);
  for (auto& [address, peer] : peers_) peer.channel = nullptr;
}

bool Channels::is_old_family(const std::string& address) const {
  const auto found = peers_.find(address);
  return found != peers_.end() && found->second.old_family_until > system_clock().steady();
}

void Channels::remember_family(const std::string& address, bool is_old) {
  const auto found = peers_.find(address);
  if (found == peers_.end()) return;
  found->second.old_family_until = is_old ? system_clock().steady() + kFamilyMemory : Duration(0);
}

void Channels::remember_ours(const std::string& address) {
  const auto found = peers_.find(address);
  if (found == peers_.end() || found->second.is_ours) return;
  found->second.is_ours = true;
  found->second.channel = nullptr;  // The next call gets one that asks more often.
}

void Channels::sweep() {
  const Duration now = system_clock().steady();
  for (auto it = peers_.begin(); it != peers_.end();) {
    Peer& peer = it->second;
    const bool is_idle = peer.users.use_count() == 1 && now - peer.used_at >= Client::kIdleLimit;
    if (is_idle) peer.channel = nullptr;
    it = is_idle && peer.old_family_until <= now ? peers_.erase(it) : std::next(it);
  }
  sweep_timer_->start(kSweepPause, [this] { sweep(); });
}

}  // namespace dkron::rpc
