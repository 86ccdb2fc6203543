// `dkron leave` and `dkron raft ...`: what operators do to the group of servers, over gRPC
// (spec cli 10, recovery 2).
#include <array>

#include "base/log.h"
#include "cli/api_command.h"
#include "cli/commands.h"
#include "cli/rpc_call.h"
#include "cli/table.h"
#include "model/job_json.h"

namespace dkron::cli {
namespace {

constexpr Option kPeerId{"peer-id", Type::String, "", "Name of the server to remove"};
constexpr Option kForce{"force", Type::Bool, "",
                        "Do it although the server is alive, or the quorum is at risk"};
constexpr Option kTo{"to", Type::String, "",
                     "Name of the server that is to lead; by default any that is up to date"};
constexpr Option kNode{"node", Type::String, "",
                       "Name of a dead node that is to leave, instead of the one that is called"};

constexpr std::array kLeaveOptions{kRpcAddr, kCertFile, kKeyFile, kTrustedCaFile, kNode, kForce};
constexpr std::array kListOptions{kRpcAddr, kCertFile, kKeyFile, kTrustedCaFile, kFormat};
constexpr std::array kRemoveOptions{kRpcAddr, kCertFile, kKeyFile, kTrustedCaFile, kPeerId, kForce};
constexpr std::array kTransferOptions{kRpcAddr, kCertFile, kKeyFile, kTrustedCaFile, kTo};

void append_member(std::string* body, std::string_view name, const std::string& value) {
  if (body->back() != '{') *body += ',';
  model::append_json_string(body, std::string(name));
  *body += ':';
  model::append_json_string(body, value);
}

std::string to_json(const rpc::RaftConfiguration& configuration) {
  std::string body = "{";
  append_member(&body, "answered_by", configuration.answered_by);
  append_member(&body, "why_no_leader", configuration.why_no_leader);
  body += ",\"index\":" + std::to_string(configuration.index) + ",\"servers\":[";
  for (const rpc::RaftServer& server : configuration.servers) {
    if (body.back() == '}') body += ',';
    body += '{';
    append_member(&body, "node", server.node_name);
    append_member(&body, "id", server.id);
    append_member(&body, "address", server.address);
    append_member(&body, "state", server.is_leader ? "leader" : "follower");
    append_member(&body, "member_status", server.member_status);
    body += server.is_voter ? ",\"voter\":true" : ",\"voter\":false";
    if (server.lag_entries) body += ",\"lag_entries\":" + std::to_string(*server.lag_entries);
    body += '}';
  }
  return body + "]}";
}

// The layout of the reference; what we have beyond it goes to stderr, so that scripts go on to read
// the table.
void print_peers(const rpc::RaftConfiguration& configuration) {
  std::vector<std::vector<std::string>> rows;
  for (const rpc::RaftServer& server : configuration.servers) {
    rows.push_back({server.node_name, server.id, server.address,
                    server.is_leader ? "leader" : "follower", server.is_voter ? "true" : "false"});
  }
  print(format_table({"Node", "ID", "Address", "State", "Voter"}, rows));
  if (!configuration.why_no_leader.empty()) {
    std::fprintf(stderr, "%s\n", configuration.why_no_leader.c_str());
  }
}

Result<int> list_peers(const Flags& flags) {
  auto as_json = wants_json(flags, kListOptions);
  if (!as_json) return fail(as_json.error());
  auto configuration = call_node<rpc::RaftConfiguration>(
      flags, [](rpc::Client& client, const std::string& to, auto done) {
        client.raft_configuration(to, std::move(done));
      });
  if (!configuration) return fail(configuration.error());
  if (*as_json) {
    print_line(to_json(*configuration));
  } else {
    print_peers(*configuration);
  }
  return 0;
}

Result<int> remove_peer(const Flags& flags) {
  const std::string id = flags.get("peer-id", kRemoveOptions);
  if (id.empty()) return usage_error("--peer-id is missing: the name of the server to remove");
  const bool force = flags.get("force", kRemoveOptions) == "true";
  auto removed = call_node<void>(flags, [&](rpc::Client& client, const std::string& to, auto done) {
    client.remove_peer(to, id, force, std::move(done));
  });
  if (!removed) return fail(removed.error());
  log::info("Peer removed");
  return 0;
}

Result<int> transfer_leadership(const Flags& flags) {
  const std::string to_server = flags.get("to", kTransferOptions);
  auto done = call_node<void>(flags, [&](rpc::Client& client, const std::string& to, auto answer) {
    client.transfer_leadership(to, to_server, std::move(answer));
  });
  if (!done) return fail(done.error());
  log::info("Leadership handed over");
  return 0;
}

Result<int> leave(const Flags& flags) {
  const std::string node = flags.get("node", kLeaveOptions);
  const bool force = flags.get("force", kLeaveOptions) == "true";
  auto left = call_node<void>(flags, [&](rpc::Client& client, const std::string& to, auto done) {
    if (node.empty()) {
      client.leave(to, force, std::move(done));
    } else {
      client.force_leave(to, node, force, std::move(done));
    }
  });
  if (!left) return fail(left.error());
  log::info(node.empty() ? "Left the cluster successfully" : "The node counts as left now");
  return 0;
}

Command make(std::string name, std::string summary, std::span<const Option> options,
             std::function<Result<int>(const Flags&)> run) {
  Command command;
  command.name = std::move(name);
  command.summary = std::move(summary);
  command.options = options;
  command.run = std::move(run);
  return command;
}

}  // namespace

Command leave_command() {
  Command command = make("leave", "Force an agent to leave the cluster", kLeaveOptions, leave);
  command.description =
      "Takes a node out of the cluster for good and ends it: by default the one that answers at\n"
      "--rpc-addr, with --node a dead one. A server gives up its vote. It is refused when the\n"
      "servers that stay would be no majority.";
  return command;
}

Command raft_command() {
  Command group;
  group.name = "raft";
  group.summary = "Command to perform some raft operations";
  group.commands = {
      make("list-peers", "Command to list raft peers", kListOptions, list_peers),
      make("remove-peer", "Command to remove a peer from raft", kRemoveOptions, remove_peer),
      make("transfer-leadership", "Hands leadership to another server", kTransferOptions,
           transfer_leadership)};
  group.commands.back().is_ours = true;
  return group;
}

}  // namespace dkron::cli
