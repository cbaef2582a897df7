package metric

import "math"

// MeanStdErr returns the mean of values and its standard error, sqrt( sum (x - mean)^2 / (n-1) ) / sqrt(n). The
// error of one value is NaN.
func MeanStdErr(values []float64) (mean, stderr float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v
	}
	mean /= n
	squares := 0.0
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(squares/(n-1)) / math.Sqrt(n)
}
