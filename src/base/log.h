// The process's log: structured lines on stderr, logfmt or JSON (spec: metrics 10).
//
// Messages are constant sentences; what varies goes into fields. Lines appear in the order of the
// calls, whole, whatever the thread; a caller never waits for more than the write of its own line.
// This is the one global of the program. Never log secrets or a job's output.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/time.h"

namespace dkron::log {

enum class Level { Trace, Debug, Info, Warning, Error, Fatal, Panic };
enum class Format { Text, Json };

// "debug", "info", "warn", "warning" ...; an unknown word is InvalidArgument.
Result<Level> parse_level(std::string_view word);

struct Field {
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  Field(std::string_view k, Duration v) : key(k), value(format_duration(v)) {}
  Field(std::string_view k, Instant v) : key(k), value(format_rfc3339(v)) {}
  Field(std::string_view k, const Error& v) : key(k), value(v.message) {}
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char>)
  Field(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
  std::string_view key;
  std::string value;
};

struct Options {
  Level level = Level::Info;
  Format format = Format::Text;
  std::string node;  // Field `node` on every line when not empty.
};
void configure(const Options& options);
void set_level(Level level);
bool is_enabled(Level level);

void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

// A text of many lines, whatever the level: as it is, and in JSON each line as the message of a
// line of its own. Lines stay whole; those of other threads may come between them.
void write_lines(std::string_view text);

inline void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
  if (is_enabled(Level::Debug)) write(Level::Debug, message, fields);
}
inline void info(std::string_view message, std::initializer_list<Field> fields = {}) {
  if (is_enabled(Level::Info)) write(Level::Info, message, fields);
}
inline void warning(std::string_view message, std::initializer_list<Field> fields = {}) {
  if (is_enabled(Level::Warning)) write(Level::Warning, message, fields);
}
inline void error(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::Error, message, fields);
}
inline void fatal(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::Fatal, message, fields);
}

}  // namespace dkron::log
