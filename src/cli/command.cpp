#include "cli/command.h"

#include <algorithm>
#include <cstdio>

#include "base/go_text.h"

namespace dkron::cli {
namespace {

constexpr std::size_t kNameColumn = 11;  // Least width of the names in a list of commands.
constexpr std::size_t kSuggestionDistance = 2;

void print(std::FILE* stream, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

std::string usage_text(const Command& command, const std::string& path) {
  std::string text = "Usage:\n  " + path;
  if (!command.commands.empty()) {
    text += " [command]\n\nAvailable Commands:\n";
    std::size_t width = kNameColumn;
    for (const Command& sub : command.commands) width = std::max(width, sub.name.size());
    for (const Command& sub : command.commands) {
      text += "  " + sub.name + std::string(width - sub.name.size() + 1, ' ') + sub.summary + "\n";
    }
  } else {
    text += (command.arguments.empty() ? "" : " " + command.arguments) + " [flags]\n";
  }
  text += "\nFlags:\n" + config::describe_flags(command.options, command.name);
  if (!command.commands.empty()) {
    text += "\nUse \"" + path + " [command] --help\" for more information about a command.\n";
  }
  return text;
}

std::string help_text(const Command& command, const std::string& path) {
  return (command.description.empty() ? command.summary : command.description) + "\n\n" +
         usage_text(command, path);
}

// Levenshtein's distance without regard to case.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      const std::size_t change = std::tolower(a[i - 1]) == std::tolower(b[j - 1]) ? 0 : 1;
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + change});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string suggestions(const Command& group, const std::string& word) {
  std::string text;
  for (const Command& sub : group.commands) {
    if (distance(sub.name, word) <= kSuggestionDistance || sub.name.starts_with(word))
      text += "\t" + sub.name + "\n";
  }
  return text.empty() ? "" : "\nDid you mean this?\n" + text + "\n";
}

const Command* find_sub(const Command& group, const std::string& name) {
  const auto found = std::find_if(group.commands.begin(), group.commands.end(),
                                  [&](const Command& sub) { return sub.name == name; });
  return found == group.commands.end() ? nullptr : &*found;
}

int print_help_for(const Command& root, const std::vector<std::string>& words) {
  const Command* command = &root;
  std::string path = root.name;
  for (const std::string& word : words) {
    const Command* sub = find_sub(*command, word);
    if (sub == nullptr) break;
    command = sub;
    path += " " + word;
  }
  if (command == &root && !words.empty()) {
    print(stderr, "Unknown help topic [`" + words.front() + "`]\n" + usage_text(root, path));
    return 0;
  }
  print(stdout, help_text(*command, path));
  return 0;
}

// A command with the words that lead to it.
struct Found {
  const Command* command;
  std::string path;
  bool is_ours = false;
};

std::string hint(const std::string& path) {
  return "Run '" + path + " --help' for usage.\n";
}

int report(const Found& found, const Error& error) {
  const bool is_usage_error = error.code == ErrorCode::InvalidArgument;
  print(stderr, "Error: " + error.message + "\n" +
                    (!is_usage_error ? ""
                     : found.is_ours ? hint(found.path)
                                     : usage_text(*found.command, found.path)));
  return 1;
}

int run_command(const Found& found, std::span<const std::string> arguments) {
  const Command& command = *found.command;
  auto flags = config::parse_flags(arguments, command.options);
  if (!flags) return report(found, flags.error());
  if (flags->wants_help || !command.run) {
    print(stdout, help_text(command, found.path));
    return 0;
  }
  const auto status = command.run(*flags);
  return status ? *status : report(found, status.error());
}

int report_unknown(const Found& group, const std::string& word) {
  print(stderr, "Error: unknown command " + go::quote(word) + " for " + go::quote(group.path) +
                    "\n" + suggestions(*group.command, word) + hint(group.path));
  return 1;
}

}  // namespace

tl::unexpected<Error> usage_error(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

int dispatch(const Command& root, std::vector<std::string> arguments) {
  if (!arguments.empty() && arguments.front() == "help") {
    return print_help_for(root, {arguments.begin() + 1, arguments.end()});
  }
  Found found{&root, root.name, root.is_ours};
  std::size_t used = 0;
  while (used < arguments.size() && !found.command->commands.empty()) {
    const std::string& word = arguments[used];
    const Command* sub = find_sub(*found.command, word);
    if (sub == nullptr) {
      // The reference shows its groups' help for an unknown word, and ends with 0.
      const bool is_word = !word.empty() && word[0] != '-';
      const bool is_error = found.command == &root || found.is_ours;
      if (is_word && is_error) return report_unknown(found, word);
      break;
    }
    found = {sub, found.path + " " + word, found.is_ours || sub->is_ours};
    ++used;
  }
  return run_command(found, std::span(arguments).subspan(used));
}

}  // namespace dkron::cli
