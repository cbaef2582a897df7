package compare

import "math"

// significance is the two-sided p-value of the hypothesis that differences of paired values have the mean 0; ok is
// false where they cannot tell, being fewer than two.
//
// Differences of -1, 0 and 1, as right and wrong answers have, get the exact sign test (McNemar's): of the n
// documents where the two models differ, k speak for one of them,
//
//	p = 2 * P(X <= min(k, n-k)),  X ~ Binomial(n, 1/2)
//
// Others get Student's paired t-test: t = mean / (s / sqrt(n)) with n-1 degrees of freedom.
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

func signTest(up, down int) float64 {
	n, p := up+down, 0.0
	for k := 0; k <= min(up, down); k++ {
		p += math.Exp(logGamma(n+1) - logGamma(k+1) - logGamma(n-k+1) - float64(n)*math.Ln2)
	}
	return min(1, 2*p)
}

func logGamma(n int) float64 {
	x, _ := math.Lgamma(float64(n))
	return x
}

func tTest(differences []float64) float64 {
	n := float64(len(differences))
	mean, squares := 0.0, 0.0
	for _, d := range differences {
		mean += d / n
	}
	for _, d := range differences {
		squares += (d - mean) * (d - mean)
	}
	if squares == 0 { // the same difference everywhere
		return 0
	}
	t2 := mean * mean / (squares / (n - 1) / n)
	return incompleteBeta((n-1)/((n-1)+t2), (n-1)/2, 0.5)
}

// incompleteBeta is the regularized incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22)
// where that converges fast, and by I_x(a, b) = 1 - I_{1-x}(b, a) elsewhere.
func incompleteBeta(x, a, b float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2):
		return 1 - incompleteBeta(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a
	return front / betaFraction(x, a, b)
}

// betaFraction is 1 + d1/(1 + d2/(1 + …)) by the modified Lentz method.
func betaFraction(x, a, b float64) float64 {
	const tiny, enough = 1e-300, 1e-15
	f, c, d := 1.0, 1.0, 0.0
	for i := 1; i <= 10000; i++ {
		m := float64(i / 2)
		term := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		if i%2 == 1 {
			term = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		if d = 1 + term*d; math.Abs(d) < tiny {
			d = tiny
		}
		d = 1 / d
		if c = 1 + term/c; math.Abs(c) < tiny {
			c = tiny
		}
		f *= c * d
		if math.Abs(c*d-1) < enough {
			break
		}
	}
	return f
}
