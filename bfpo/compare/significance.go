package compare

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// significance returns the two-sided p-value of the hypothesis that paired differences have the mean 0; ok is false
// with fewer than two differences, which are too few to test.
//
// Differences of -1, 0 and 1, from right and wrong answers, are tested by the exact sign test (McNemar's): of the n
// documents on which the two models differ, k favor one of them,
//
//	p = 2 * P(X <= min(k, n-k)),  X ~ Binomial(n, 1/2)
//
// Other differences are tested by Student's paired t-test: t = mean / (s / sqrt(n)) with n-1 degrees of freedom.
func significance(differences []float64) (p float64, ok bool) {
	if len(differences) < 2 {
		return 0, false
	}
	up, down, whole := 0, 0, true
	for _, d := range differences {
		switch d {
		case 1:
			up++
		case -1:
			down++
		case 0:
		default:
			whole = false
		}
	}
	if whole {
		return signTest(up, down), true
	}
	return tTest(differences), true
}

// signTest returns the p-value of McNemar's exact test of up against down changes.
func signTest(up, down int) float64 {
	n := up + down
	if n == 0 { // distuv has no binomial distribution of zero trials
		return 1
	}
	return min(1, 2*distuv.Binomial{N: float64(n), P: 0.5}.CDF(float64(min(up, down))))
}

// tTest returns the p-value of Student's paired t-test.
func tTest(differences []float64) float64 {
	mean, deviation := stat.MeanStdDev(differences, nil)
	if deviation == 0 { // all differences are equal
		return 0
	}
	n := float64(len(differences))
	t := math.Abs(mean) / stat.StdErr(deviation, n)
	return 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Survival(t)
}
