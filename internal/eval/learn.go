package eval

import (
	"crypto/sha256"
	"math"
)

// folds is in how many parts the rows are cut: each is ranked by weights that were learnt on the others.
const folds = 5

// foldOf is a row's part, by its prompt alone.
func foldOf(prompt string) int {
	sum := sha256.Sum256([]byte("fold\x00" + prompt))
	return int(sum[0]) % folds
}

// learnt ranks rows by logistic regressions on their signs: the chance that the strong model is right less the chance
// that the weak one is, each row by weights of rows in other folds.
func learnt(prompts []string, signs [][]float64, o outcomes) []float64 {
	score := make([]float64, len(signs))
	for f := range folds {
		var x [][]float64
		var weak, strong []float64
		for r := range signs {
			if foldOf(prompts[r]) != f {
				x = append(x, signs[r])
				weak, strong = append(weak, o.weak[r]), append(strong, o.strong[r])
			}
		}
		if len(x) == 0 {
			continue
		}
		w, s := logistic(x, weak), logistic(x, strong)
		for r := range signs {
			if foldOf(prompts[r]) == f {
				score[r] = chance(s, signs[r]) - chance(w, signs[r])
			}
		}
	}
	return score
}

// Of the fit: Newton steps, and how strongly weights are held to 0.
const (
	newton = 12
	ridge  = 3
)

// logistic fits weights, the intercept first, to grades from 0 to 1.
func logistic(x [][]float64, y []float64) []float64 {
	n := len(x[0]) + 1
	w := make([]float64, n)
	row := make([]float64, n)
	for range newton {
		m := make([][]float64, n) // the Hessian, with the gradient as its last column
		for i := range m {
			m[i] = make([]float64, n+1)
			if i > 0 {
				m[i][i], m[i][n] = ridge, -ridge*w[i]
			} else {
				m[i][i] = 1e-9
			}
		}
		for r := range x {
			row[0] = 1
			copy(row[1:], x[r])
			p := chance(w, x[r])
			for i, a := range row {
				if a == 0 {
					continue
				}
				m[i][n] += (y[r] - p) * a
				for j, b := range row {
					m[i][j] += p * (1 - p) * a * b
				}
			}
		}
		for i, step := range solve(m) {
			w[i] += step
		}
	}
	return w
}

// chance is the logistic function of a row's signs.
func chance(w, signs []float64) float64 {
	z := w[0]
	for i, v := range signs {
		z += w[i+1] * v
	}
	return 1 / (1 + math.Exp(-z))
}

// solve solves linear equations, the right side as the last column, by elimination with pivots.
func solve(m [][]float64) []float64 {
	n := len(m)
	for i := range n {
		best := i
		for r := i + 1; r < n; r++ {
			if math.Abs(m[r][i]) > math.Abs(m[best][i]) {
				best = r
			}
		}
		m[i], m[best] = m[best], m[i]
		for r := range n {
			if r == i || m[i][i] == 0 {
				continue
			}
			f := m[r][i] / m[i][i]
			for c := i; c <= n; c++ {
				m[r][c] -= f * m[i][c]
			}
		}
	}
	out := make([]float64, n)
	for i := range out {
		if m[i][i] != 0 {
			out[i] = m[i][n] / m[i][i]
		}
	}
	return out
}
