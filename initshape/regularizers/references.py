"""The papers behind the regularizers, as BibTeX entries."""

from __future__ import annotations

AZULAY_2021 = """@inproceedings{azulay2021implicit,
  title = {On the Implicit Bias of Initialization Shape: Beyond Infinitesimal Mirror Descent},
  author = {Azulay, Shahar and Moroshko, Edward and Nacson, Mor Shpigel and Woodworth, Blake E. and Srebro, Nathan
            and Globerson, Amir and Soudry, Daniel},
  booktitle = {Proceedings of the 38th International Conference on Machine Learning},
  year = {2021},
  eprint = {2102.09769}
}"""

WOODWORTH_2020 = """@inproceedings{woodworth2020kernel,
  title = {Kernel and Rich Regimes in Overparametrized Models},
  author = {Woodworth, Blake and Gunasekar, Suriya and Lee, Jason D. and Moroshko, Edward and Savarese, Pedro
            and Golan, Itay and Soudry, Daniel and Srebro, Nathan},
  booktitle = {Proceedings of the 33rd Conference on Learning Theory},
  year = {2020},
  eprint = {2002.09277}
}"""

GHAI_2020 = """@inproceedings{ghai2020exponentiated,
  title = {Exponentiated Gradient Meets Gradient Descent},
  author = {Ghai, Udaya and Hazan, Elad and Singer, Yoram},
  booktitle = {Proceedings of the 31st International Conference on Algorithmic Learning Theory},
  year = {2020},
  eprint = {1902.01903}
}"""

GUNASEKAR_2018 = """@inproceedings{gunasekar2018characterizing,
  title = {Characterizing Implicit Bias in Terms of Optimization Geometry},
  author = {Gunasekar, Suriya and Lee, Jason and Soudry, Daniel and Srebro, Nathan},
  booktitle = {Proceedings of the 35th International Conference on Machine Learning},
  year = {2018},
  eprint = {1802.08246}
}"""

CHEN_1998 = """@article{chen1998atomic,
  title = {Atomic Decomposition by Basis Pursuit},
  author = {Chen, Scott Shaobing and Donoho, David L. and Saunders, Michael A.},
  journal = {SIAM Journal on Scientific Computing},
  volume = {20},
  number = {1},
  pages = {33--61},
  year = {1998}
}"""

HUANGFU_2018 = """@article{huangfu2018parallelizing,
  title = {Parallelizing the dual revised simplex method},
  author = {Huangfu, Qi and Hall, J. A. Julian},
  journal = {Mathematical Programming Computation},
  volume = {10},
  pages = {119--142},
  year = {2018}
}"""

JACOT_2018 = """@inproceedings{jacot2018neural,
  title = {Neural Tangent Kernel: Convergence and Generalization in Neural Networks},
  author = {Jacot, Arthur and Gabriel, Franck and Hongler, Cl{\\'e}ment},
  booktitle = {Advances in Neural Information Processing Systems 31},
  year = {2018},
  eprint = {1806.07572}
}"""

CHIZAT_2019 = """@inproceedings{chizat2019lazy,
  title = {On Lazy Training in Differentiable Programming},
  author = {Chizat, L{\\'e}na{\\"i}c and Oyallon, Edouard and Bach, Francis},
  booktitle = {Advances in Neural Information Processing Systems 32},
  year = {2019},
  eprint = {1812.07956}
}"""
