#include "peer.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <utility>

namespace dkron::serf_peer {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxInputBytes = 1 << 20;
constexpr int kExitNameLost = 3;

json::object to_json(const gossip::MemberEvent& event) {
  json::array members;
  for (const gossip::Member& member : event.members) {
    members.push_back(serf_peer::to_json(member));
  }
  return {{"event", "member-" + std::string(to_string(event.type))}, {"members", members}};
}

}  // namespace

json::object to_json(const gossip::Member& member) {
  json::object tags;
  for (const auto& [key, value] : member.tags()) tags[key] = value;
  return {{"name", member.name},
          {"address", member.endpoint.to_string()},
          {"status", std::string(to_string(member.status))},
          {"tags", tags},
          {"protocol", member.versions.delegate_current}};
}

Result<std::unique_ptr<Peer>> Peer::start(net::Loop& loop, gossip::Service::Options options) {
  auto peer = std::unique_ptr<Peer>(new Peer(loop));
  options.loses_packets = [p = peer.get()](const gossip::Endpoint& other) {
    return p->drops_all_ || p->dropped_.contains(other);
  };
  const std::string name = options.serf.name;
  auto service = gossip::Service::start(loop, system_clock(), std::move(options), peer->handlers());
  if (!service) return fail(service.error());
  peer->service_ = std::move(*service);
  ::fcntl(STDIN_FILENO, F_SETFL, ::fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
  peer->wait_for_input();
  peer->write({{"event", "ready"}, {"address", peer->service_->local().to_string()}});
  return peer;
}

gossip::Serf::Handlers Peer::handlers() {
  gossip::Serf::Handlers handlers;
  handlers.on_member_event = [this](const gossip::MemberEvent& event) { write(to_json(event)); };
  handlers.on_user_event = [this](const gossip::UserEvent& event) {
    write({{"event", "user"},
           {"name", event.name},
           {"payload", event.payload},
           {"time", event.time},
           {"may_coalesce", event.may_coalesce}});
  };
  handlers.on_query = [this](const gossip::IncomingQuery& query) { on_query(query); };
  handlers.on_name_lost = [this] { on_name_lost(); };
  return handlers;
}

void Peer::on_query(const gossip::IncomingQuery& query) {
  json::object line{
      {"event", "query"}, {"name", query.name}, {"payload", query.payload}, {"from", query.from}};
  if (query.name == "echo") {
    const Result<> sent = query.respond(query.payload);
    line["answered"] = sent ? "" : sent.error().message;
  }
  write(line);
}

void Peer::on_name_lost() {
  write({{"event", "name-lost"}});
  end(kExitNameLost);
}

void Peer::end(int exit_status) {
  exit_status_ = exit_status;
  loop_.stop();
}

void Peer::wait_for_input() {
  input_watch_ = loop_.watch_readable(STDIN_FILENO, [this] { read_input(); });
}

void Peer::read_input() {
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    if (size <= 0) return end(0);
    input_.append(buffer.data(), static_cast<std::size_t>(size));
    if (input_.size() > kMaxInputBytes) return end(2);
  }
  std::size_t end_of_line = 0;
  while ((end_of_line = input_.find('\n')) != std::string::npos) {
    const std::string line = input_.substr(0, end_of_line);
    input_.erase(0, end_of_line + 1);
    run_line(line);
  }
  wait_for_input();
}

void Peer::run_line(std::string_view line) {
  boost::system::error_code error;
  const json::value value = json::parse(line, error);
  if (error || !value.is_object()) {
    write({{"event", "error"}, {"error", "not a JSON object: " + std::string(line)}});
    return;
  }
  const json::object& arguments = value.get_object();
  const json::value* id = arguments.if_contains("id");
  const json::value* word = arguments.if_contains("do");
  const Command command =
      word != nullptr && word->is_string() ? find_command(word->get_string()) : nullptr;
  if (id == nullptr || !id->is_int64() || command == nullptr) {
    write({{"event", "error"}, {"error", "no such command: " + std::string(line)}});
    return;
  }
  (this->*command)(id->get_int64(), arguments);
}

void Peer::answer(Id id, json::object line) {
  line["id"] = id;
  line["ok"] = true;
  write(line);
}

void Peer::answer(Id id, const Result<>& result) {
  if (result) return answer(id);
  write({{"id", id}, {"ok", false}, {"error", result.error().message}});
}

// A test that does not read any more has ended; so does the peer then.
void Peer::write(const json::object& line) {
  const std::string text = json::serialize(line) + "\n";
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t size = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return end(2);
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
}

}  // namespace dkron::serf_peer
