// A plain table for terminals: columns padded to their widest cell, joined by two blanks.
#pragma once

#include <string>
#include <vector>

namespace dkron::cli {

// Cells are made safe to print: control characters become blanks. Width counts code points.
std::string format_table(const std::vector<std::string>& head,
                         const std::vector<std::vector<std::string>>& rows);

}  // namespace dkron::cli
