#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/time_zone.h"

namespace dkron::log {
namespace {

struct State {
  std::atomic<Level> level{Level::Info};
  std::mutex mutex;
  Format format = Format::Text;
  std::string node;
  bool colours = false;
};

State& state() {
  static State s;
  return s;
}

std::string_view level_name(Level level) {
  static constexpr std::string_view kNames[] = {"trace", "debug", "info", "warning",
                                                "error", "fatal", "panic"};
  return kNames[static_cast<int>(level)];
}

bool is_plain(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("-._/@^+").find(c) != std::string_view::npos;
  });
}

// Escapes so that a line stays a line and JSON stays JSON, whatever the bytes of `value`.
void append_quoted(std::string* out, std::string_view value) {
  static constexpr char kHex[] = "0123456789abcdef";
  *out += '"';
  for (const char c : value) {
    switch (c) {
      case '"': *out += "\\\""; break;
      case '\\': *out += "\\\\"; break;
      case '\n': *out += "\\n"; break;
      case '\r': *out += "\\r"; break;
      case '\t': *out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          *out += "\\u00";
          *out += kHex[(static_cast<unsigned char>(c) >> 4) & 15];
          *out += kHex[c & 15];
        } else {
          *out += c;
        }
    }
  }
  *out += '"';
}

void append_value(std::string* out, std::string_view value) {
  if (is_plain(value)) {
    *out += value;
  } else {
    append_quoted(out, value);
  }
}

std::string now_text() {
  static const TimeZone zone = TimeZone::local();
  const Instant now = system_clock().wall().floor_seconds();
  return format_rfc3339(now, zone.to_civil(now).utc_offset_seconds);
}

std::string text_line(Level level, std::string_view message,
                      const std::vector<const Field*>& fields) {
  std::string line = "time=\"" + now_text() + "\" level=";
  line += level_name(level);
  line += " msg=";
  append_value(&line, message);
  for (const Field* field : fields) {
    line += ' ';
    line += field->key;
    line += '=';
    append_value(&line, field->value);
  }
  return line += '\n';
}

std::string terminal_line(Level level, std::string_view message,
                          const std::vector<const Field*>& fields) {
  static constexpr std::string_view kShort[] = {"TRAC", "DEBU", "INFO", "WARN",
                                                "ERRO", "FATA", "PANI"};
  static constexpr std::string_view kColour[] = {"37", "37", "36", "33", "31", "31", "31"};
  const auto i = static_cast<std::size_t>(level);
  const std::string start = "\x1b[" + std::string(kColour[i]) + "m";
  std::string line = start + std::string(kShort[i]) + "\x1b[0m[" + now_text() + "] ";
  line += message;
  if (message.size() < 44) line.append(44 - message.size(), ' ');
  for (const Field* field : fields) {
    line += ' ' + start + std::string(field->key) + "\x1b[0m=";
    append_value(&line, field->value);
  }
  return line += '\n';
}

std::string json_line(Level level, std::string_view message,
                      const std::vector<const Field*>& fields) {
  std::string line = "{\"time\":\"" + now_text() + "\",\"level\":\"";
  line += level_name(level);
  line += "\",\"msg\":";
  append_quoted(&line, message);
  for (const Field* field : fields) {
    line += ',';
    append_quoted(&line, field->key);
    line += ':';
    append_quoted(&line, field->value);
  }
  return line += "}\n";
}

// One write per line keeps lines whole among processes that share stderr; a full or closed stderr
// must not stop the server, so errors end the attempt.
void write_whole(std::string_view line) {
  while (!line.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    line.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

Result<Level> parse_level(std::string_view word) {
  if (word == "warn") return Level::Warning;
  for (int i = 0; i <= static_cast<int>(Level::Panic); ++i) {
    if (word == level_name(static_cast<Level>(i))) return static_cast<Level>(i);
  }
  return fail(ErrorCode::InvalidArgument, "not a valid log level: \"" + std::string(word) + "\"");
}

void configure(const Options& options) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  s.level = options.level;
  s.format = options.format;
  s.node = options.node;
  s.colours = ::isatty(STDERR_FILENO) == 1;
}

void set_level(Level level) {
  state().level = level;
}

bool is_enabled(Level level) {
  return level >= state().level.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (!is_enabled(level)) return;
  State& s = state();
  std::lock_guard lock(s.mutex);
  const Field node("node", s.node);
  std::vector<const Field*> sorted;
  sorted.reserve(fields.size() + 1);
  if (!s.node.empty()) sorted.push_back(&node);
  for (const Field& field : fields) sorted.push_back(&field);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Field* a, const Field* b) { return a->key < b->key; });
  const std::string line = s.format == Format::Json ? json_line(level, message, sorted)
                           : s.colours              ? terminal_line(level, message, sorted)
                                                    : text_line(level, message, sorted);
  write_whole(line);
}

void write_lines(std::string_view text) {
  State& s = state();
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view content = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    // Nobody waits for more than one line.
    std::lock_guard lock(s.mutex);
    if (s.format != Format::Json) {
      write_whole(std::string(content) + '\n');
      continue;
    }
    const Field node("node", s.node);
    write_whole(json_line(Level::Info, content,
                          s.node.empty() ? std::vector<const Field*>{} : std::vector{&node}));
  }
}

}  // namespace dkron::log
