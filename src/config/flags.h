// Flags: the command line of one command, read as Go's flag library does (spec cli 2).
//
// `--name value`, `--name=value`, booleans alone or with `=`; list flags repeat; `--` ends the
// flags; positional arguments may stand anywhere. Error texts are the reference's. Plain values,
// thread-safe.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/option.h"

namespace dkron::config {

struct Flags {
  std::map<std::string, std::vector<std::string>, std::less<>> given;  // In the order of the line.
  std::vector<std::string> positional;
  bool wants_help = false;  // -h or --help came first of all errors.

  bool has(std::string_view name) const { return given.find(name) != given.end(); }
  // The last value given, else the default of `options`.
  std::string get(std::string_view name, std::span<const Option> options) const;
};

// Errors are InvalidArgument, e.g. `unknown flag: --nope`, `flag needs an argument: --peer-id`,
// `invalid argument "abc" for "--rpc-port" flag: strconv.ParseInt: parsing "abc": invalid syntax`.
Result<Flags> parse_flags(std::span<const std::string> arguments, std::span<const Option> options);

// The table of flags in a help text, sorted by name, `--help` among them.
std::string describe_flags(std::span<const Option> options, std::string_view command_name);

}  // namespace dkron::config
