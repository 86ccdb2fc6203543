#include "discovery/exec.h"

#include <algorithm>

#include "base/go_text.h"
#include "discovery/discovery.h"
#include "discovery/names.h"
#include "process/capture.h"

namespace dkron::discovery {
namespace {

constexpr Duration kDefaultTimeout = seconds(5);
constexpr std::size_t kShownLimit = 200;  // Of what the command said, in an error.

tl::unexpected<Error> failed(ErrorCode code, const std::string& text) {
  return fail(code, "discover-exec: " + text);
}

std::string_view take_line(std::string_view* rest) {
  const std::size_t end = std::min(rest->size(), rest->find('\n'));
  const std::string_view line = rest->substr(0, end);
  rest->remove_prefix(std::min(rest->size(), end + 1));
  return go::trim_space(line);
}

// The first line that says something; "" when there is none.
std::string_view first_line(std::string_view text) {
  while (!text.empty()) {
    if (const std::string_view line = take_line(&text); !line.empty()) {
      return line.substr(0, kShownLimit);
    }
  }
  return "";
}

Result<process::CaptureLimits> read_limits(const Query& query) {
  process::CaptureLimits limits;
  limits.output_bytes = kCommandOutputLimit;
  limits.timeout = kDefaultTimeout;
  if (const std::string_view text = query.parameter("timeout"); !text.empty()) {
    const auto timeout = parse_duration(text);
    if (!timeout) {
      return failed(ErrorCode::InvalidArgument,
                    "Failed to parse timeout: " + timeout.error().message);
    }
    limits.timeout = *timeout;
  }
  limits.timeout = std::min(limits.timeout, query.time_left());
  return limits;
}

Result<Addresses> parse_lines(std::string_view output, std::uint16_t default_port) {
  Addresses hosts;
  while (!output.empty()) {
    const std::string_view line = take_line(&output);
    if (line.empty() || line.starts_with('#')) continue;
    auto host = parse_plain(line, default_port);
    if (!host) {
      return failed(ErrorCode::Corrupt, "the command printed " +
                                            go::quote(line.substr(0, kShownLimit)) +
                                            ", which is no address");
    }
    if (hosts.size() >= kMaxAddresses) {
      return failed(ErrorCode::TooLarge, "the command printed more than " +
                                             std::to_string(kMaxAddresses) + " addresses");
    }
    hosts.push_back(std::move(*host));
  }
  return hosts;
}

}  // namespace

Result<Addresses> exec_provider(const Query& query) {
  const std::string command(query.parameter("command"));
  if (command.empty()) return failed(ErrorCode::InvalidArgument, "missing command");
  const auto limits = read_limits(query);
  if (!limits) return fail(limits.error());
  const auto captured = process::run_captured({"/bin/sh", "-c", command}, *limits);
  if (!captured) return failed(captured.error().code, captured.error().message);
  if (!captured->status.success()) {
    const std::string_view said = first_line(captured->errors);
    return failed(ErrorCode::Unavailable, process::describe(captured->status) +
                                              (said.empty() ? "" : ": " + std::string(said)));
  }
  const auto hosts = parse_lines(captured->output, query.default_port);
  if (!hosts) return fail(hosts.error());
  auto found = resolve_all(*hosts, query.deadline);
  if (!found) return failed(found.error().code, found.error().message);
  return found;
}

}  // namespace dkron::discovery
