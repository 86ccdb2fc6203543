#include "executor/shell_config.h"

#include <fnmatch.h>

#include <algorithm>
#include <boost/json.hpp>
#include <unordered_set>

#include "base/base64.h"
#include "base/go_text.h"
#include "executor/shell_words.h"

namespace dkron::executor {
namespace {

namespace json = boost::json;

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

// A value that does not parse counts as false, for the keys that Dkron has.
bool is_on(const Config& config, std::string_view key) {
  return go::parse_bool(find_value(config, key)).value_or(false);
}

// Kept from being ignored in silence: a job that asks for a limit must not run without it.
Result<void> check_available(const Config& config) {
  if (!find_value(config, "mem_limit").empty()) {
    return invalid("mem_limit: a memory limit is not available yet");
  }
  if (!find_value(config, "su").empty()) {
    return invalid("su: running as another user is not available yet");
  }
  return {};
}

// Also a JSON object, so that values may hold commas.
Result<std::vector<std::string>> parse_env(std::string_view text) {
  std::vector<std::string> entries;
  if (text.starts_with('{')) {
    boost::system::error_code error;
    const json::value value = json::parse({text.data(), text.size()}, error);
    if (error || !value.is_object()) return invalid("env: the JSON object cannot be read");
    for (const auto& member : value.get_object()) {
      if (!member.value().is_string())
        return invalid("env: the values of the JSON object must be text");
      entries.push_back(std::string(member.key()) + "=" + std::string(member.value().get_string()));
    }
    return entries;
  }
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end > 0) entries.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return entries;
}

// The keys that Dkron does not have, the same when saved and when run.
Result<void> read_own_keys(const Config& config, ShellPlan* plan) {
  const std::string_view grace = find_value(config, "kill_grace");
  if (!grace.empty()) {
    const auto parsed = parse_duration(grace);
    if (!parsed || *parsed < Duration(0))
      return invalid("kill_grace: not a duration: " + go::quote(grace));
    plan->kill_grace = *parsed;
  }
  std::string_view codes = find_value(config, "success_codes");
  if (codes.empty()) codes = "0";
  auto set = CodeSet::parse(codes, false);
  if (!set) return invalid("success_codes: " + set.error().message);
  plan->success_codes = std::move(*set);
  const std::string_view output = find_value(config, "output");
  if (!output.empty() && output != "merged" && output != "stdout") {
    return invalid("output: must be \"merged\" or \"stdout\", not " + go::quote(output));
  }
  plan->discard_stderr = output == "stdout";
  const std::string_view children = find_value(config, "kill_children");
  if (!children.empty()) {
    const auto kill = go::parse_bool(children);
    if (!kill) return invalid("kill_children: " + kill.error().message);
    plan->kill_children = *kill;
  }
  auto env = parse_env(find_value(config, "env"));
  if (!env) return fail(env.error());
  plan->env = std::move(*env);
  return {};
}

Result<void> read_command(const Config& config, const ShellOptions& options, ShellPlan* plan) {
  const std::string command(find_value(config, "command"));
  if (is_on(config, "shell")) {
    plan->argv = {"/bin/sh", "-c", command};
    return {};
  }
  auto split = split_shell_words(command, options.words_of_4_0);
  if (!split) return fail(split.error());
  if (split->words.empty()) return invalid("shell: Command missing");
  plan->argv = std::move(split->words);
  plan->was_cut = split->was_cut;
  return {};
}

bool is_hidden(std::string_view name) {
  // The settings of the agent, secrets among them, and those of the plugin protocol.
  return name.starts_with("DKRON_") || name.starts_with("PLUGIN_");
}

}  // namespace

Result<void> validate_shell(const Config& config, const ShellOptions& options) {
  const std::string_view timeout = find_value(config, "timeout");
  if (!timeout.empty()) {
    const auto parsed = parse_duration(timeout);
    if (!parsed || *parsed < Duration(0)) return invalid("Error parsing job timeout value");
  }
  if (auto available = check_available(config); !available) return available;
  ShellPlan plan;
  if (auto read = read_own_keys(config, &plan); !read) return read;
  // A command that cannot be split is accepted, as Dkron does, and fails when it is run.
  const bool is_cut = read_command(config, options, &plan) && plan.was_cut;
  if (is_cut && is_on(config, "strict")) {
    return invalid("command: holds a shell operator, which needs \"shell\": \"true\" or quotes");
  }
  return {};
}

Result<ShellPlan> plan_shell(const Config& config, const ShellOptions& options) {
  ShellPlan plan;
  if (auto available = check_available(config); !available) return fail(available.error());
  if (auto read = read_command(config, options, &plan); !read) return fail(read.error());
  if (auto read = read_own_keys(config, &plan); !read) return fail(read.error());
  auto input = decode_base64(find_value(config, "payload"));
  if (!input) return fail(input.error());
  plan.input = std::move(*input);
  plan.working_directory = find_value(config, "cwd");
  const std::string_view timeout = find_value(config, "timeout");
  if (!timeout.empty()) {
    const auto parsed = parse_duration(timeout);
    if (!parsed || *parsed < Duration(0)) return invalid("shell: Error parsing job timeout");
    plan.timeout = *parsed;
  }
  return plan;
}

std::vector<std::string> inherited_environment(const char* const* environment,
                                               const std::vector<std::string>& allow) {
  std::vector<std::string> inherited;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    const std::string name(entry.substr(0, entry.find('=')));
    const bool passes = allow.empty()
                            ? !is_hidden(name)
                            : std::any_of(allow.begin(), allow.end(), [&](const auto& pattern) {
                                return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
                              });
    if (passes) inherited.emplace_back(entry);
  }
  return inherited;
}

std::vector<std::string> merge_environment(std::vector<std::string> entries) {
  // Views stay valid: moving the vector's strings happens only after the last look.
  std::unordered_set<std::string_view> seen;
  std::vector<std::size_t> kept;
  for (std::size_t i = entries.size(); i-- > 0;) {
    const std::string_view entry = entries[i];
    if (seen.insert(entry.substr(0, entry.find('='))).second) kept.push_back(i);
  }
  std::vector<std::string> merged;
  merged.reserve(kept.size());
  for (auto i = kept.rbegin(); i != kept.rend(); ++i) merged.push_back(std::move(entries[*i]));
  return merged;
}

}  // namespace dkron::executor
