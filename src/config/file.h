// Configuration files: YAML, TOML, JSON and dotenv, read into one plain form (spec cli 4.2, 4.4).
//
// A file comes from outside: its size and nesting are limited, and an error names the place. Keys
// are case-insensitive; those of maps keep their case. Blocking, thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace dkron::config {

inline constexpr std::size_t kFileLimitBytes = std::size_t{1024} * 1024;

using List = std::vector<std::string>;
using Map = std::map<std::string, std::string>;

// Scalars are texts whatever their type in the file. A list of maps is merged into one map.
struct FileValue {
  enum class Kind { Scalar, Sequence, Mapping };
  Kind kind = Kind::Scalar;
  std::string text;
  List list;
  Map map;
};
using FileValues = std::map<std::string, FileValue>;

// The format is chosen by the extension; an unknown one is InvalidArgument.
Result<FileValues> read_config_file(const Path& path);
Result<FileValues> parse_config(std::string_view extension, const std::string& text);

// The file that is used when none is named: `dkron.<ext>` in /etc/dkron, $HOME/.dkron, ./config.
std::optional<Path> find_config_file(const Path& home, const Path& working_directory);

}  // namespace dkron::config
