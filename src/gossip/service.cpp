#include "gossip/service.h"

#include <utility>

#include "base/log.h"

namespace dkron::gossip {
namespace {

constexpr std::size_t kKeyringFileLimitBytes = 64 << 10;
// A wake that is so late says that the process stood still: it was stopped, its machine was moved.
constexpr Duration kPause = milliseconds(500);
// For so long the sockets are read then, before an answer counts as missing.
constexpr Duration kListenFirst = milliseconds(20);

}  // namespace

Service::Service(net::Loop& loop, const Clock& clock)
    : clock_(clock), wake_timer_(loop.make_timer()), timers_(clock.steady()) {}

Service::~Service() {
  if (serf_ != nullptr) serf_->stop();
}

Result<std::unique_ptr<Service>> Service::start(net::Loop& loop, const Clock& clock,
                                                Options options, Serf::Handlers handlers) {
  auto service = std::unique_ptr<Service>(new Service(loop, clock));
  if (auto opened = service->open_keyring(options); !opened) return fail(opened.error());
  SocketTransport::Handlers sockets{
      [s = service.get()](const Endpoint& from, std::string_view datagram) {
        if (s->serf_ != nullptr) s->serf().on_packet(from, datagram);
      },
      [s = service.get()](const StreamMessage& message) -> std::optional<StreamMessage> {
        if (s->serf_ == nullptr) return std::nullopt;
        return s->serf().on_stream(message);
      }};
  auto transport = SocketTransport::open(
      loop, {options.bind, options.serf.profile.tcp_timeout, options.loses_packets},
      service->framing_, std::move(sockets));
  if (!transport) return fail(transport.error());
  service->transport_ = std::move(*transport);
  if (auto opened = service->open(std::move(options), std::move(handlers)); !opened) {
    return fail(opened.error());
  }
  return service;
}

Result<> Service::open_keyring(const Options& options) {
  std::vector<std::string> keys = options.keys;
  if (keys.empty()) return {};
  auto keyring = Keyring::make(std::move(keys));
  if (!keyring) return fail(keyring.error());
  if (!options.keyring_file.empty() && std::filesystem::exists(options.keyring_file)) {
    const auto text = read_file(options.keyring_file, kKeyringFileLimitBytes);
    if (!text) return fail(text.error());
    keyring = parse_keyring(*text);
    if (!keyring) {
      return fail(keyring.error().code, "the keyring file " + options.keyring_file.string() +
                                            " cannot be read: " + keyring.error().message);
    }
  }
  keyring_ = std::move(*keyring);
  framing_.keyring = &*keyring_;
  return {};
}

Result<> Service::open(Options options, Serf::Handlers handlers) {
  if (options.serf.advertise.port == 0) options.serf.advertise.port = transport_->local().port;
  handlers.on_keyring_changed = [file = options.keyring_file](const Keyring& ring) -> Result<> {
    if (file.empty()) return {};
    return write_file_durably(file, format_keyring(ring));
  };
  auto serf = Serf::make(
      std::move(options.serf), std::move(handlers),
      {timers_, system_random(), *transport_, framing_, keyring_ ? &*keyring_ : nullptr});
  if (!serf) return fail(serf.error());
  serf_ = std::move(*serf);
  timers_.on_new_next([this] { wait_for_next(); });
  serf_->restore(options.clocks);
  serf_->start();
  wait_for_next();
  return {};
}

Serf& Service::serf() {
  timers_.move_to(clock_.steady());
  return *serf_;
}

void Service::wait_for_next() {
  const auto next = timers_.next_due();
  if (!next) return wake_timer_->cancel();
  wake_timer_->start(std::max(Duration{0}, *next - clock_.steady()), [this] { on_wake(); });
}

// Behind a pause nobody may look dead whose packets only wait to be read.
void Service::on_wake() {
  const Duration now = clock_.steady();
  const auto due = timers_.next_due();
  if (due && now - *due > kPause && !std::exchange(has_listened_, true)) {
    wake_timer_->start(kListenFirst, [this] { on_wake(); });
    return;
  }
  has_listened_ = false;
  // Time first: what is started by what is due counts from now, not from within the pause. Else a
  // ping, its timeout and the whole suspicion behind it would pass in this one call.
  timers_.catch_up(now);
  wait_for_next();
}

}  // namespace dkron::gossip
