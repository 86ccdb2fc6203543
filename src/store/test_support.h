// What the tests of the store share: a directory of their own, and a child process that writes
// until it is killed.
#pragma once

#include <cstdlib>

#include "base/test_directory.h"

namespace dkron::store::testing_support {

using dkron::testing_support::TemporaryDirectory;

// Starts this program again as a child that commits to <directory>/store one entry after the other,
// two rows and the index each, and kills it when it has committed about `commits` of them.
void kill_while_writing(const Path& directory, int commits);

// The child's main function.
int run_writing_child(const char* directory);

}  // namespace dkron::store::testing_support
