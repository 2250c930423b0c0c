"""The papers behind the margin maximisers, as BibTeX entries."""

from __future__ import annotations

MOROSHKO_2020 = """@inproceedings{moroshko2020implicit,
  title = {Implicit Bias in Deep Linear Classification: Initialization Scale vs Training Accuracy},
  author = {Moroshko, Edward and Woodworth, Blake E. and Gunasekar, Suriya and Lee, Jason D. and Srebro, Nathan
            and Soudry, Daniel},
  booktitle = {Advances in Neural Information Processing Systems 33},
  year = {2020},
  eprint = {2007.06738}
}"""

LYU_2020 = """@inproceedings{lyu2020gradient,
  title = {Gradient Descent Maximizes the Margin of Homogeneous Neural Networks},
  author = {Lyu, Kaifeng and Li, Jian},
  booktitle = {8th International Conference on Learning Representations},
  year = {2020},
  eprint = {1906.05890}
}"""

JI_2019 = """@inproceedings{ji2019gradient,
  title = {Gradient descent aligns the layers of deep linear networks},
  author = {Ji, Ziwei and Telgarsky, Matus},
  booktitle = {7th International Conference on Learning Representations},
  year = {2019},
  eprint = {1810.02032}
}"""

SOUDRY_2018 = """@article{soudry2018implicit,
  title = {The Implicit Bias of Gradient Descent on Separable Data},
  author = {Soudry, Daniel and Hoffer, Elad and Nacson, Mor Shpigel and Gunasekar, Suriya and Srebro, Nathan},
  journal = {Journal of Machine Learning Research},
  volume = {19},
  number = {70},
  pages = {1--57},
  year = {2018}
}"""
