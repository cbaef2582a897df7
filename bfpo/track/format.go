package track

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// FormatNumber writes four significant digits, without an exponent for numbers of ordinary size: 12.31, 0.0012,
// 5.00e-07.
func FormatNumber(x float64) string {
	size := math.Abs(x)
	switch {
	case x == 0:
		return "0"
	case size >= 1e5 || size < 1e-3:
		return strconv.FormatFloat(x, 'e', 2, 64)
	}
	decimals := min(max(3-int(math.Floor(math.Log10(size))), 0), 4)
	return strconv.FormatFloat(x, 'f', decimals, 64)
}

// formatSigned writes a margin in nats with its sign and one decimal, or two below 10: +6.39, -12.3.
func formatSigned(x float64) string {
	if math.Abs(x) < 9.995 {
		return fmt.Sprintf("%+.2f", x)
	}
	return fmt.Sprintf("%+.1f", x)
}

// formatRate writes a number of tokens per second: 87.5, 1234, 12.3k.
func formatRate(x float64) string {
	switch {
	case x >= 1e4:
		return fmt.Sprintf("%.1fk", x/1e3)
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.1f", x)
}

// FormatDuration writes a duration with two units at most: 0.8s, 42s, 3m05s, 2h07m.
func FormatDuration(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// formatSeconds writes a number of seconds as FormatDuration does.
func formatSeconds(x float64) string { return FormatDuration(time.Duration(x * float64(time.Second))) }

// FormatBytes writes a number of bytes in binary units: 512 B, 37.4 MiB, 1.87 GiB.
func FormatBytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	x, unit := float64(n), 0
	for x >= 1024 && unit < len(units)-1 {
		x, unit = x/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return strconv.FormatFloat(x, 'f', max(2-int(math.Log10(x)), 0), 64) + " " + units[unit]
}

// FormatCount writes a number of parameters or tokens: 960, 12.3k, 134.5M, 7.24B.
func FormatCount(n int64) string {
	x := float64(n)
	switch {
	case n < 10_000:
		return strconv.FormatInt(n, 10)
	case x < 1e6:
		return fmt.Sprintf("%.1fk", x/1e3)
	case x < 1e9:
		return fmt.Sprintf("%.1fM", x/1e6)
	}
	return fmt.Sprintf("%.2fB", x/1e9)
}
