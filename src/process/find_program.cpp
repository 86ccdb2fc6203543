#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/go_text.h"
#include "process/process.h"

namespace dkron::process {
namespace {

bool is_executable_file(const std::string& path) {
  // Asked first, because most directories of PATH do not have the program.
  if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) != 0) return false;
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode);
}

tl::unexpected<Error> not_runnable(const std::string& name, std::string_view reason) {
  return fail(ErrorCode::NotFound, "exec: " + go::quote(name) + ": " + std::string(reason));
}

}  // namespace

Result<std::string> find_program(const std::string& name) {
  if (name.empty()) return fail(ErrorCode::InvalidArgument, "exec: no command");
  if (name.find('/') != std::string::npos) return name;
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable == nullptr ? "" : variable;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string_view directory = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    std::string path(directory.empty() ? "." : directory);
    if (path.back() != '/') path += '/';
    path += name;
    if (!is_executable_file(path)) continue;
    if (path.front() == '/') return path;
    return not_runnable(name, "cannot run executable found relative to current directory");
  }
  return not_runnable(name, "executable file not found in $PATH");
}

}  // namespace dkron::process
