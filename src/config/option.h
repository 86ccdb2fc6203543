// Option: one named setting of a command; the single table behind flags, environment, files and
// help.
//
// Value texts follow Go's flag library, whose words scripts and operators know (spec cli
// 2, 3.1, 4.4). Plain values and pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace dkron::config {

enum class Type { Bool, Int, Uint16, String, Strings, Duration };

struct Option {
  std::string_view name;
  Type type = Type::String;
  std::string_view standard;  // Default, as text; "" = the type's zero.
  std::string_view usage;     // May hold line breaks.
  // False: a key of files only.
  bool is_flag = true;
  // Set values of these are refused, because what they ask for does not exist in this version.
  bool is_available = true;
};

// The word behind a flag's name in help texts ("string", "" for booleans ...).
std::string_view type_word(Type type);

// Checks one value; the error is Go's text without the flag's name, for example
// `strconv.ParseInt: parsing "abc": invalid syntax`.
Result<void> check_value(Type type, std::string_view text);

// The readers below expect a text that check_value() has accepted.
bool read_bool(std::string_view text);
std::int64_t read_int(std::string_view text);

// One CSV record, as list flags and list values in files are split.
Result<std::vector<std::string>> split_list(std::string_view text);

// The options of `dkron agent`, in the order of its help text (spec cli 3.1), and the keys that
// only files know.
std::span<const Option> agent_options();

}  // namespace dkron::config
