package bench

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// RecordedLosses is the number of steps whose losses a Result holds.
const RecordedLosses = 5

// Result holds the figures of a measurement. The fields that the peers' programs also print come first. A token counts
// as real in the chosen and in the rejected row, whichever of them computes it.
type Result struct {
	Name string `json:"name"`
	// PairsPerSecond goes by the median step of a repeated batch, else by the time of the pass.
	PairsPerSecond  float64   `json:"pairs_per_s"`
	TokensPerSecond float64   `json:"tokens_per_s"` // real tokens
	StepMedian      float64   `json:"step_ms_median"`
	StepAll         []float64 `json:"step_ms_all"`
	// PeakRSS is the peak memory of the whole process, in MiB; absent where the system does not tell it.
	PeakRSS int64 `json:"peak_rss_mb,omitempty"`
	// PeakDevice is the peak of the first device's memory, in MiB; absent where the plugin keeps no count, as on CPUs.
	PeakDevice int64 `json:"peak_device_mb,omitempty"`
	// Warmup is the time of loading, of compiling or reading cached programs, and of the steps before the clock starts.
	Warmup       float64           `json:"warmup_s"`
	FirstLoss    float64           `json:"first_loss"`
	Losses       []float64         `json:"losses"` // of the first timed steps, each before its update
	TimedSteps   int               `json:"timed_steps"`
	RealTokens   int               `json:"real_tokens"`   // prompt and response of chosen and rejected, each row in full
	PaddedTokens int               `json:"padded_tokens"` // places in the computed rows, padding included
	Threads      int               `json:"threads"`
	Versions     map[string]string `json:"versions"`

	Precision    string  `json:"precision"`    // f32 or bf16, of the matrix products
	Checkpointed bool    `json:"checkpointed"` // layers were recomputed in the backward pass
	Precomputed  bool    `json:"precomputed"`  // the reference was computed once, before the clock
	Reference    float64 `json:"reference_s"`  // reading the stored log-probabilities; part of the time of a pass
	// ComputedTokens is PaddedTokens without padding, where the tokens that both rows begin with count once.
	ComputedTokens int `json:"computed_tokens"`
	// Ready is the time from the start to the first step: loading, and compiling or reading cached programs.
	Ready          float64   `json:"ready_s"`
	FirstStep      float64   `json:"first_step_s"`   // from the start, loading included, to the end of the first step
	Recompilations int       `json:"recompilations"` // programs compiled during the timed steps
	Shapes         []Shape   `json:"shapes"`
	Programs       []Program `json:"programs,omitempty"` // absent on the Go backend
}

// Shape is the static size of a batch.
type Shape struct {
	Rows      int `json:"rows"`
	Length    int `json:"length"`
	Targets   int `json:"targets"`
	Responses int `json:"responses"`
}

// Program is a compiled program, its sizes in bytes.
type Program struct {
	Name    string  `json:"name"`
	Inputs  int64   `json:"inputs"`
	Outputs int64   `json:"outputs"`
	Aliases int64   `json:"aliases"` // of the outputs, what lies in donated inputs
	Temp    int64   `json:"temp"`
	Peak    int64   `json:"peak"` // inputs + outputs - aliases + temp
	Seconds float64 `json:"seconds"`
	Cached  bool    `json:"cached"`
}

// rounded keeps four digits behind the point.
func rounded(x float64) float64 { return math.Round(x*1e4) / 1e4 }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// peakResident is the most memory that the process had resident, in bytes, or 0 where that is not known.
func peakResident() int64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			var kilobytes int64
			if _, err := fmt.Sscan(rest, &kilobytes); err == nil {
				return kilobytes << 10
			}
		}
	}
	return 0
}
