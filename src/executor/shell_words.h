// Splitting a command line into words, without a shell (spec executors 1, "Building the command").
//
// The rules are those of the splitter that Dkron uses, odd as some of them are: jobs rely on them.
// No variable is expanded and no pattern either. Free function, thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace dkron::executor {

struct ShellWords {
  std::vector<std::string> words;
  // An unquoted `;`, `&`, `|`, `<` or `>` ended the line; what follows is dropped.
  bool was_cut = false;
};

// `letters_only`: a backslash before n or t gives that letter, as before Dkron 4.1.2. The only
// error is `invalid command line string`.
Result<ShellWords> split_shell_words(std::string_view line, bool letters_only = false);

}  // namespace dkron::executor
