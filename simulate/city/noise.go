package city

import "math"

// Mix turns two numbers into one that looks random (the finaliser of SplitMix64).
func Mix(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// chance is a number from 0 to below 1 that depends on seed and n only.
func chance(seed, n uint64) float64 { return float64(Mix(seed, n)>>11) / (1 << 53) }

// smooth is noise between -1 and 1 that takes about 1 in x to change.
func smooth(seed uint64, x float64) float64 {
	i := math.Floor(x)
	f := x - i
	f = f * f * (3 - 2*f)
	a, b := chance(seed, uint64(int64(i))), chance(seed, uint64(int64(i)+1))
	return 2*(a+(b-a)*f) - 1
}

// bell is a number around 0 with standard deviation 1, never beyond 3.
func bell(seed, n uint64) float64 {
	h := Mix(seed, n)
	sum := float64(h&0xfffff) + float64(h>>20&0xfffff) + float64(h>>40&0xfffff)
	return (sum/(1<<20) - 1.5) * 2
}

func clamp(v, low, high float64) float64 { return math.Max(low, math.Min(high, v)) }

// round keeps as many decimals as the device shows.
func round(v float64, decimals int) float64 {
	p := [...]float64{1, 10, 100, 1000, 10000}[decimals]
	return math.Round(v*p) / p
}
