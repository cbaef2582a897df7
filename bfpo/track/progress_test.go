package track

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTerminalPlain(t *testing.T) {
	var out bytes.Buffer
	p := NewTerminal(&out, "bfpo", 0, 4, 2)
	main, buffer := sampleGroups()
	for step := 1; step <= 4; step++ {
		m := PairMetrics(main, buffer)
		m.Step, m.LearningRate, m.GradNorm, m.Tokens, m.Seconds = step, 5e-7, 1234.5, 3000, 2
		if err := p.Track(m); err != nil {
			t.Fatal(err)
		}
	}
	eval := PairMetrics(main, PairStats{})
	eval.Step, eval.Evaluation, eval.Seconds = 4, true, 75
	if err := p.Track(eval); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	want := `bfpo  1/4  loss  16.00  margin  +12.5 nat  acc 0.50  grad-norm   1234  lr 5.0e-07   1500 tok/s
bfpo  2/4  loss  16.00  margin  +12.5 nat  acc 0.50  grad-norm   1234  lr 5.0e-07   1500 tok/s  4.0s left
bfpo  4/4  loss  16.00  margin  +12.5 nat  acc 0.50  grad-norm   1234  lr 5.0e-07   1500 tok/s
bfpo  evaluation after step 4:  loss  6.000  margin  -50.0 nat  acc 0.33  (3 rows in 1m15s)
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	if strings.ContainsAny(out.String(), "\r\x1b") {
		t.Error("control characters in plain output")
	}
}

func TestFormats(t *testing.T) {
	for _, test := range [][2]string{
		{"0", FormatNumber(0)},
		{"4961", FormatNumber(4961.4)},
		{"12.31", FormatNumber(12.3111)},
		{"0.0012", FormatNumber(0.00123)},
		{"-7.000", FormatNumber(-7)},
		{"1.23e+05", FormatNumber(123456)},
		{"5.00e-07", FormatNumber(5e-7)},
		{"+6.39", formatSigned(6.386)},
		{"-12.3", formatSigned(-12.34)},
		{"+0.00", formatSigned(0)},
		{"87.5", formatRate(87.5)},
		{"1234", formatRate(1234)},
		{"12.3k", formatRate(12345)},
		{"0.8s", FormatDuration(800 * time.Millisecond)},
		{"42s", FormatDuration(42 * time.Second)},
		{"3m05s", FormatDuration(185 * time.Second)},
		{"2h07m", FormatDuration(127 * time.Minute)},
		{"1m00s", FormatDuration(60*time.Second - 300*time.Millisecond)},
		{"512 B", FormatBytes(512)},
		{"37.4 MiB", FormatBytes(39217234)},
		{"1.87 GiB", FormatBytes(2007897000)},
		{"139 GiB", FormatBytes(139 << 30)},
		{"0 B", FormatBytes(0)},
		{"960", FormatCount(960)},
		{"12.3k", FormatCount(12345)},
		{"134.5M", FormatCount(134515008)},
		{"7.24B", FormatCount(7241732096)},
	} {
		if test[0] != test[1] {
			t.Errorf("%q, want %q", test[1], test[0])
		}
	}
}
