package pattern

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// words returns the pieces of a text: matches, and in brackets what lies between them.
func words(p *Pattern, text string) (out []string) {
	last := 0
	p.Scan(text, func(begin, end int) {
		if last < begin {
			out = append(out, "["+text[last:begin]+"]")
		}
		out = append(out, text[begin:end])
		last = end
	})
	if last < len(text) {
		out = append(out, "["+text[last:]+"]")
	}
	return out
}

// TestScan compares with what tokenizers 0.23.3 (Oniguruma) splits.
func TestScan(t *testing.T) {
	for _, c := range []struct{ pattern, text, want string }{
		{`a|ab`, "abab", "a|[b]|a|[b]"},
		{`\s+(?!\S)|\s+`, "a   b ", "[a]|  | |[b]| "},
		{`(?i:'s|'t|'re|'ll)`, "I'LL it'ſ we'Re", "[I]|'LL|[ it]|'ſ|[ we]|'Re"},
		{`[^\r\n\p{L}\p{N}]?+\p{L}+`, "x (y", "x|[ ]|(y"},
		{`\p{N}{1,3}`, "1234567", "123|456|7"},
		{`a++b`, "aaab", "aaab"},
		{`a++a`, "aaaa", "[aaaa]"},
		{`a+?b?`, "aab", "a|ab"},
		{`a{2}`, "aaaaa", "aa|aa|[a]"},
		{`x{,2}y`, "xxxy", "[x]|xxy"},
		{`[\p{L}&&[^\p{Han}]]+`, "ab漢cd", "ab|[漢]|cd"},
		{`[[:digit:]a-c]+`, "ab12xc", "ab12|[x]|c"},
		{`[]a]+`, "a]b", "a]|[b]"},
		{`(ab)+c|.`, "ababd", "a|b|a|b|d"},
		{`^a|b$`, "a\nab", "a|[\n]|a|b"},
		{`(?<=a)b`, "abb", "[a]|b|[b]"},
		{`(?<!a)b`, "abb", "[ab]|b"},
		{`\x{41}\u0042`, "ABAB", "AB|AB"},
		{`(?=ab)a`, "acab", "[ac]|a|[b]"},
		{`\bx`, "x ax", "x|[ ax]"},
		{`\w+`, "x²y", "x²y"},
		{`[\w]+`, "x²y", "x|[²]|y"},
		{`[^\w\s]`, "x² y", "[x]|²|[ y]"},
		{`[^\W_]+`, "a¼_b", "a|[¼_]|b"},
		{`[[:word:]]+|[\p{Word}]+`, "x³", "x|[³]"},
		{`\p{Word}+`, "x³", "x³"},
		{`[[:blank:]]`, "a \tb\n", "[a]| |\t|[b\n]"},
		{`[[:print:]]+`, "ab\x01 c", "ab|[\x01]| c"},
		{`[[:graph:]]+`, "ab c", "ab|[ ]|c"},
		{`\p{Punct}`, "a$b!", "[a$b]|!"},
		{`[\p{Punct}]`, "a$b!", "[a$b]|!"},
		{`[[:punct:]]`, "a$b!", "[a]|$|[b]|!"},
		{``, "ab", "|[a]||[b]|"},
	} {
		p, err := Compile(c.pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := strings.Join(words(p, c.text), "|"); got != c.want {
			t.Errorf("%s in %q: %s, want %s", c.pattern, c.text, got, c.want)
		}
	}
}

func TestRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`(`: "not closed", `)`: "not opened", `[a`: "not closed", `*`: "repeats nothing", `(a)\1`: `\1`,
		`(a*)*`:  "loop around",
		`(?=a*)`: "without a limit", `(?<=ab)c`: "more than one character", `\p{Klingon}`: "not known",
		`[[:letter:]]`: "the class [:letter:] is not known",
		`a{300}`:       "at most 256", `(?m:a)`: "not supported", `((ab|b){200}){200}`: "more than", `(?i:ss)`: "two letters",
		strings.Repeat("(", 100): "deeper than 64", strings.Repeat("a", 1<<15): "at most 16384",
		`[b-a]`: "empty", `\`: "ends",
		`(?>(ab)*)c`: "atomic group", `\x{110000}`: "not the code",
	} {
		if _, err := Compile(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: error %v, want one with %q", text, err, want)
		}
	}
}

// TestScanTime checks that patterns on which other programs take quadratic or exponential time do not.
func TestScanTime(t *testing.T) {
	for _, c := range []struct{ pattern, unit string }{
		{`a*b|.`, "a"}, {`a*?b|.`, "a"}, {`a*+b|.`, "a"}, {`(a+a+)+b|.`, "a"}, {`(a|aa)+b|.`, "a"}, {`(a|b|ab)*c`, "ab"},
		{`(?:a|aa){30}c|.`, "a"}, {`\s*[\r\n]+x|\s+(?!\S)|\s+`, " "}, {`(?:[ab]c?)*d|.`, "abc"}, {`[^x]*x|.`, "漢"},
	} {
		p, err := Compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat(c.unit, 1<<15/len(c.unit))
		start, end := time.Now(), 0
		p.Scan(text, func(_, e int) { end = e })
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s on %d bytes took %v", c.pattern, len(text), took)
		} else {
			t.Logf("%s: %v, last end %d", c.pattern, took, end)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\s+(?!\S)|\s+`, `[\p{L}&&[^\p{Han}]]{1,3}?`, `(a|b)*+c`,
	} {
		f.Add(seed, "I'll go 12 漢字\n\n")
	}
	f.Fuzz(func(t *testing.T, text, in string) {
		fuzztest.Bounded(t, len(text)+len(in), 10*time.Second, func() {
			p, err := Compile(text)
			if err != nil {
				return
			}
			in := strings.ToValidUTF8(in, "\uFFFD")
			last, ends := 0, []int{}
			p.Scan(in, func(begin, end int) {
				if begin < last || end < begin {
					t.Fatalf("%q in %q: a match %d..%d after %d", text, in, begin, end, last)
				}
				last = end
				ends = append(ends, end)
			})
			if !slices.IsSorted(ends) {
				t.Fatalf("%q in %q: ends %v", text, in, ends)
			}
		})
	})
}
