// What the tests of the store share: a directory of their own, and a child process that writes
// until it is killed.
#pragma once

#include <cstdlib>

#include "base/file.h"

namespace dkron::store::testing_support {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "dkron_store_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const Path& path() const { return path_; }

 private:
  Path path_;
};

// Starts this program again as a child that commits to <directory>/store one entry after the other,
// two rows and the index each, and kills it when it has committed about `commits` of them.
void kill_while_writing(const Path& directory, int commits);

// The child's main function.
int run_writing_child(const char* directory);

}  // namespace dkron::store::testing_support
