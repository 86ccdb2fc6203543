#include "executor/shell_words.h"

namespace dkron::executor {
namespace {

enum class Quote { None, Single, Double, Back, BackDouble, BackSingle, Dollar };

class Splitter {
 public:
  explicit Splitter(bool letters_only) : letters_only_(letters_only) {}

  Result<ShellWords> split(std::string_view line) {
    for (std::size_t i = 0; i < line.size() && !result_.was_cut; ++i) {
      if (is_escaped_) {
        is_escaped_ = false;
        add(unescaped(line[i]));
      } else if (line[i] == '\\' && !is_single_quoted()) {
        is_escaped_ = true;
      } else if (!take(line[i])) {
        return broken();
      }
    }
    if (is_escaped_ || quote_ != Quote::None) return broken();
    end_word();
    return std::move(result_);
  }

 private:
  static tl::unexpected<Error> broken() {
    return fail(ErrorCode::InvalidArgument, "invalid command line string");
  }
  bool is_single_quoted() const { return quote_ == Quote::Single || quote_ == Quote::BackSingle; }

  char unescaped(char c) const {
    if (letters_only_) return c;
    return c == 'n' ? '\n' : c == 't' ? '\t' : c;
  }

  // False: the line is malformed.
  bool take(char c) {
    switch (quote_) {
      case Quote::None: return take_plain(c);
      case Quote::Single: return take_quoted(c, '\'', Quote::None);
      case Quote::Double: return take_quoted(c, '"', Quote::None);
      case Quote::BackSingle: return take_quoted(c, '\'', Quote::Back);
      case Quote::BackDouble: return take_quoted(c, '"', Quote::Back);
      case Quote::Back: return take_back_quoted(c);
      case Quote::Dollar: return take_substitution(c);
    }
    return false;
  }

  bool take_plain(char c) {
    switch (c) {
      case ' ':
      case '\t':
      case '\r':
      case '\n': end_word(); return true;
      case '\'': quote_ = Quote::Single; return true;
      case '"': quote_ = Quote::Double; return true;
      case '`':
        quote_ = Quote::Back;
        add(c);
        return true;
      case ')': return false;
      case '(':
        if (word_.empty() || word_.back() != '$') return false;
        quote_ = Quote::Dollar;
        add(c);
        return true;
      case ';':
      case '&':
      case '|':
      case '<':
      case '>': cut(c); return true;
      default: add(c); return true;
    }
  }

  bool take_quoted(char c, char end, Quote outside) {
    if (c == end) {
      quote_ = outside;
      has_word_ = true;  // Also '' and "".
    } else {
      add(c);
    }
    return true;
  }

  // Quotes are removed inside back-quotes, the back-quotes stay.
  bool take_back_quoted(char c) {
    if (c == '\'') {
      quote_ = Quote::BackSingle;
    } else if (c == '"') {
      quote_ = Quote::BackDouble;
    } else {
      if (c == '`') quote_ = Quote::None;
      add(c);
    }
    return true;
  }

  bool take_substitution(char c) {
    if (c == '(') return false;
    if (c == ')') quote_ = Quote::None;
    add(c);
    return true;
  }

  void add(char c) {
    word_ += c;
    has_word_ = true;
  }

  void end_word() {
    if (has_word_) result_.words.push_back(std::move(word_));
    word_.clear();
    has_word_ = false;
  }

  void cut(char c) {
    result_.was_cut = true;
    // The number of a descriptor, as in 2>file.
    if (c == '>' && !word_.empty() && word_[0] >= '0' && word_[0] <= '9') {
      word_.clear();
      has_word_ = false;
    }
  }

  bool letters_only_;
  ShellWords result_;
  std::string word_;
  bool has_word_ = false;
  bool is_escaped_ = false;
  Quote quote_ = Quote::None;
};

}  // namespace

Result<ShellWords> split_shell_words(std::string_view line, bool letters_only) {
  return Splitter(letters_only).split(line);
}

}  // namespace dkron::executor
