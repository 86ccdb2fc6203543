#include "executor/shell_words.h"

#include <gtest/gtest.h>

namespace dkron::executor {
namespace {

// Words joined by '~'; "!" for a malformed line.
std::string joined(std::string_view line, bool letters_only = false) {
  const auto split = split_shell_words(line, letters_only);
  if (!split) return "!" + split.error().message;
  std::string text;
  for (const std::string& word : split->words) text += word + "~";
  return text;
}

TEST(ShellWords, splits_as_the_reference_does) {
  const std::pair<const char*, const char*> cases[] = {
      {"a'b c'd", "ab cd~"},
      {"echo '' \"\"", "echo~~~"},
      {"echo \"it\\\"s\"", "echo~it\"s~"},
      {"echo 'a\\b'", "echo~a\\b~"},
      {"a\\ b", "a b~"},
      {"a\\tb", "a\tb~"},
      {"sh -c \"printf 'x\\ty\\n'\"", "sh~-c~printf 'x\ty\n'~"},
      {"'a\\tb'", "a\\tb~"},
      {"a\\rb", "arb~"},
      {"cmd 2>file", "cmd~"},
      {"cmd x2>file", "cmd~x2~"},
      {"a;b", "a~"},
      {"a\"|\"b", "a|b~"},
      {"a\\|b", "a|b~"},
      {"echo `date now`", "echo~`date now`~"},
      {"`a\"b c\"`", "`ab c`~"},
      {"echo $(date now)", "echo~$(date now)~"},
      {"$(a 'b c')", "$(a 'b c')~"},
      {"", ""},
      {" \t\r\n", ""},
      {";x", ""},
      {"echo a | cat", "echo~a~"},
      {"X=1 cmd # * ~ $HOME", "X=1~cmd~#~*~~~$HOME~"},
      {"printf \"%s|\" \"a b\" 'c d' e\\ f", "printf~%s|~a b~c d~e f~"},
      {"'a'\"b\"c", "abc~"},
  };
  for (const auto& [line, words] : cases) EXPECT_EQ(joined(line), words) << line;
}

TEST(ShellWords, refuses_what_is_left_open) {
  for (const char* line : {"echo (x)", "echo x)", "echo 'open", "echo \"open", "trailing\\",
                           "echo $(a", "`a", "$(a (b))", "'a`\"", "`'`"}) {
    EXPECT_EQ(joined(line), "!invalid command line string") << line;
  }
}

TEST(ShellWords, keeps_the_letters_by_the_older_rule) {
  EXPECT_EQ(joined("a\\tb \\n", true), "atb~n~");
}

TEST(ShellWords, tells_that_the_line_was_cut) {
  EXPECT_TRUE(split_shell_words("date && echo x")->was_cut);
  EXPECT_FALSE(split_shell_words("date '&&' x")->was_cut);
}

}  // namespace
}  // namespace dkron::executor
