package report

import "math"

// Estimate is a mean over N rows and its standard error. With N = 0 there is no estimate, with N = 1 no standard error.
type Estimate struct {
	Mean, StdErr float64
	N            int
}

// NewEstimate returns the mean of the values and its standard error:
//
//	stderr = sqrt( sum (x - mean)^2 / (n - 1) ) / sqrt(n)
func NewEstimate(values []float64) Estimate {
	e := Estimate{N: len(values)}
	if e.N == 0 {
		return e
	}
	for _, x := range values {
		e.Mean += x
	}
	e.Mean /= float64(e.N)
	if e.N == 1 {
		return e
	}
	var squares float64
	for _, x := range values {
		squares += (x - e.Mean) * (x - e.Mean)
	}
	e.StdErr = math.Sqrt(squares / float64(e.N-1) / float64(e.N))
	return e
}

// Direction is the direction in which a quantity improves.
type Direction int

// The directions in which a quantity improves.
const (
	HigherIsBetter Direction = iota
	LowerIsBetter
	NeitherIsBetter
)
