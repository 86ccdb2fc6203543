#include <cstdio>

#include "base/base64.h"
#include "base/random.h"
#include "cli/commands.h"

namespace dkron::cli {
namespace {

constexpr std::size_t kKeyBytes = 16;

}  // namespace

// Dkron differs: the bare key goes to stdout, so that `--encrypt "$(dkron keygen)"` works.
Command keygen_command() {
  Command command;
  command.name = "keygen";
  command.summary = "Generates a new encryption key";
  command.description = "Prints a new random key for --encrypt, in the form that the flag expects.";
  command.run = [](const config::Flags&) -> Result<int> {
    std::printf("%s\n", encode_base64(random_bytes(kKeyBytes)).c_str());
    return 0;
  };
  return command;
}

}  // namespace dkron::cli
