// `dkron keys`: the keys that gossip is encrypted with, on all members at once.
//
// A key is rotated in three steps, without an interruption: install the new one everywhere, use it
// everywhere, remove the old one. Served by a node of this machine only, since the answers hold
// keys.
#include <array>
#include <boost/json.hpp>

#include "cli/api_command.h"
#include "cli/commands.h"
#include "cli/table.h"

namespace dkron::cli {
namespace {

constexpr std::array kOptions{kApiAddr, kFormat};
constexpr char kPath[] = "/v1/agent/keyring";
// A query among the members lasts seconds; large clusters take longer.
constexpr Duration kTimeout = minutes(2);

std::string number_of(const json::object& report, std::string_view name) {
  const json::value* value = report.if_contains(name);
  return value == nullptr ? "0" : json::serialize(*value);
}

std::string key_table(const json::object& report) {
  std::vector<std::vector<std::string>> rows;
  const json::value* keys = report.if_contains("keys");
  const json::value* primary = report.if_contains("primary_keys");
  if (keys != nullptr && keys->is_object()) {
    for (const auto& [key, count] : keys->as_object()) {
      const bool has_primary = primary != nullptr && primary->is_object();
      rows.push_back({std::string(key), json::serialize(count),
                      has_primary ? number_of(primary->as_object(), key) : "0"});
    }
  }
  return format_table({"KEY", "MEMBERS", "PRIMARY ON"}, rows);
}

void print_messages(const json::object& report) {
  const json::value* messages = report.if_contains("messages");
  if (messages == nullptr || !messages->is_object()) return;
  for (const auto& [member, message] : messages->as_object()) {
    if (message.is_string()) {
      print_line(std::string(member) + ": " + std::string(message.as_string()));
    }
  }
}

// Prints what the members said; status 1 when one of them did not follow.
Result<int> show_report(const Flags& flags, const std::string& body, bool is_list) {
  const auto as_json = wants_json(flags, kOptions);
  if (!as_json) return fail(as_json.error());
  const auto value = parse(body);
  if (!value) return fail(value.error());
  if (!value->is_object()) return fail(ErrorCode::Corrupt, "the server's answer is not a report");
  const json::object& report = value->as_object();
  if (*as_json) {
    print_line(body);
  } else {
    if (is_list) print(key_table(report));
    print_messages(report);
    if (!is_list) {
      print_line(number_of(report, "responses") + " of " + number_of(report, "members") +
                 " members answered, " + number_of(report, "errors") + " with an error");
    }
  }
  const bool is_whole = number_of(report, "errors") == "0" &&
                        number_of(report, "responses") == number_of(report, "members");
  return is_whole ? 0 : 1;
}

Result<int> ask(const Flags& flags, const std::string& method, std::string body, bool is_list) {
  const auto answer = client_of(flags).ask(method, kPath, std::move(body), kTimeout);
  if (!answer) return fail(answer.error());
  const bool is_report =
      answer->status == 200 || (answer->status == 500 && answer->body.starts_with("{\"members\""));
  if (!is_report) return fail(ErrorCode::Internal, ApiClient::error_text(*answer));
  return show_report(flags, answer->body, is_list);
}

Result<int> list_keys(const Flags& flags) {
  if (!flags.positional.empty()) return usage_error("no argument is expected");
  return ask(flags, "GET", {}, true);
}

std::function<Result<int>(const Flags&)> change(const std::string& method) {
  return [method](const Flags& flags) -> Result<int> {
    if (flags.positional.size() != 1) return usage_error("one key in Base64 is needed");
    const json::object body{{"key", flags.positional.front()}};
    return ask(flags, method, json::serialize(body), false);
  };
}

}  // namespace

Command keys_command() {
  Command group;
  group.name = "keys";
  group.summary = "Show and rotate the keys that encrypt gossip";
  group.description =
      "Shows and changes the keys that encrypt gossip, on all members at once. To rotate a key:\n"
      "install the new one, use it, remove the old one. Talks to a node on this machine.";
  group.commands = {
      {"install", "Add a key on all members", "", "KEY", kOptions, change("POST"), {}},
      {"list", "Show the keys and how many members have them", "", "", kOptions, list_keys, {}},
      {"remove", "Remove a key from all members", "", "KEY", kOptions, change("DELETE"), {}},
      {"use", "Encrypt with that key from now on", "", "KEY", kOptions, change("PUT"), {}},
  };
  return group;
}

}  // namespace dkron::cli
